using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Norm;

/// <summary>
/// Adds the partial sums [count, 2, width] of row blocks, in their order, to first [width] and second [width] (either may be null).
/// The additions are compensated (Kahan), so many blocks lose no accuracy.
/// </summary>
internal unsafe struct PartialSums : ILaneWork
{
    private const int ColumnsPerItem = 128;

    public byte* Partials;
    public long Count;
    public int Width;
    public void* First;
    public void* Second;

    public static long Items(int width) => (width + ColumnsPerItem - 1) / ColumnsPerItem;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        nint start = (nint)item * ColumnsPerItem, end = Math.Min(start + ColumnsPerItem, Width);
        if (First is not null)
        {
            Columns<V>(Partials, First, start, end);
        }

        if (Second is not null)
        {
            Columns<V>(Partials + (long)Width * V.Type.Size(), Second, start, end);
        }
    }

    private readonly void Columns<V>(byte* partials, void* target, nint start, nint end)
        where V : struct, ICpuLane<V>
    {
        nint i = start;
        for (; i <= end - V.Width; i += V.Width)
        {
            Column<V, Whole<V>>(partials, target, i, 0);
        }

        if (i < end)
        {
            Column<V, Part<V>>(partials, target, i, (int)(end - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Column<V, P>(byte* partials, void* target, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        long stride = 2L * Width * V.Type.Size(), blocks = Count;
        V sum = V.Constant(0), lost = sum;
        for (long block = 0; block < blocks; block++, partials += stride)
        {
            V value = P.Load(partials, i, count) - lost;
            V next = sum + value;
            lost = next - sum - value;
            sum = next;
        }

        P.Store(target, i, count, P.Load(target, i, count) + sum);
    }
}
