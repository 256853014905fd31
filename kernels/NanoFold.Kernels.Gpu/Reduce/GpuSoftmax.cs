namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>To come.</summary>
internal sealed class GpuSoftmax(GpuContext context)
{
    public GpuContext Context { get; } = context;

    public void Forward(in View x, in View y, double scale, in AttentionMask mask) => throw new NotSupportedException();

    public void Backward(in View y, in View dy, in View dx, double scale, bool accumulate) => throw new NotSupportedException();
}
