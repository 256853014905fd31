namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>To come.</summary>
internal sealed class GpuReduce(GpuContext context)
{
    public GpuContext Context { get; } = context;

    public void Sum(in View x, in View y, bool accumulate) => throw new NotSupportedException();
}
