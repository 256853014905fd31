namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>To come.</summary>
internal sealed class GpuRows(GpuContext context)
{
    public GpuContext Context { get; } = context;

    public void Gather(in View table, in View ids, in View y, bool accumulate) => throw new NotSupportedException();

    public void ScatterAdd(in View x, in View ids, in View table) => throw new NotSupportedException();

    public void TopK(in View x, in View values, in View indices) => throw new NotSupportedException();

    public void Dropout(in View x, in View y, double rate, int node, bool accumulate) => throw new NotSupportedException();
}
