using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Rows;

/// <summary>to[i] = from[numbers[i]] where gathering, to[numbers[i]] = or += from[i] where not; the numbers differ from each other.</summary>
internal unsafe struct RowMove : ILaneWork
{
    public byte* From;
    public long FromStride;
    public byte* To;
    public long ToStride;
    public int* Numbers;
    public bool Gather;
    public bool Accumulate;
    public long Rows;
    public int RowsPerItem;
    public int Width;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int size = V.Type.Size();
        long end = Math.Min((item + 1) * RowsPerItem, Rows);
        for (long i = item * RowsPerItem; i < end; i++)
        {
            byte* from = From + (Gather ? Numbers[i] : i) * FromStride * size;
            byte* to = To + (Gather ? i : Numbers[i]) * ToStride * size;
            Strides.Move<V>(from, 1, to, 1, Width, Accumulate);
        }
    }
}
