using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>A [B, T, H, D] tensor as kernels walk it: its address and strides, in elements; rows of D are contiguous.</summary>
internal readonly unsafe struct HeadRows(in View view)
{
    private readonly void* _start = view.Address;
    private readonly nint _batch = view.IsNone ? 0 : (nint)view.Layout.Stride(0);
    private readonly nint _head = view.IsNone ? 0 : (nint)view.Layout.Stride(2);

    /// <summary>Elements between neighbors in time.</summary>
    public readonly nint Time = view.IsNone ? 0 : (nint)view.Layout.Stride(1);

    /// <summary>Elements between neighboring heads.</summary>
    public nint Head => _head;

    public bool IsNone => _start is null;

    public void* Row<V>(int batch, int time, int head)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_start, batch * _batch + time * Time + head * _head);
}
