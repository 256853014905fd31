namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>To come.</summary>
internal sealed class GpuMatMul(GpuContext context)
{
    public GpuContext Context { get; } = context;

    public void MatMul(in MatMulArgs args, bool allowsTensorFloat32) => throw new NotSupportedException();

    public void GroupedMatMul(in GroupedMatMulArgs args, bool allowsTensorFloat32) => throw new NotSupportedException();
}
