using System.Numerics;
using ILGPU;

namespace NanoFold.Kernels.Gpu.Sorting;

/// <summary>Sorts small integers on the device, equal ones in the order they came, by counting: a digit a pass, the last digit first.</summary>
internal sealed class StableSort(GpuContext context)
{
    private int Bits => BitOperations.Log2((uint)context.GroupSize);

    /// <summary>Integers of scratch memory for keys in [0, <paramref name="limit"/>].</summary>
    public long ScratchLength(int count, int limit) => 4L * Padded(count) + CountsLength(count, 1 << Bits);

    /// <summary>Counts [digit, block] of one pass.</summary>
    public long CountsLength(int count, int digits) => (long)digits * Blocks(count);

    public int Blocks(int count) => context.Groups(count);

    /// <summary>Sorted keys, those outside of [0, <paramref name="limit"/>) last and as <paramref name="limit"/>, and where each came from.</summary>
    /// <param name="scratch">Of at least <see cref="ScratchLength"/>; the results lie in it.</param>
    public (ArrayView<int> Keys, ArrayView<int> Order) Sort(ArrayView<int> keys, int count, int limit, ArrayView<int> scratch)
    {
        int length = Padded(count), digits = 1 << Bits;
        ArrayView<int> toKeys = scratch.SubView(0, count), toOrder = scratch.SubView(length, count);
        ArrayView<int> otherKeys = scratch.SubView(2L * length, count), otherOrder = scratch.SubView(3L * length, count);
        ArrayView<int> counts = scratch.SubView(4L * length, CountsLength(count, digits));
        ArrayView<int> from = toOrder;
        for (int shift = 0; shift == 0 || limit >> shift > 0; shift += Bits)
        {
            var digit = new SortDigit { Keys = keys, Count = count, Limit = limit, Shift = shift, Mask = digits - 1, Digits = digits };
            Count(digit, counts);
            context.Launch(
                new PlaceWork { Digit = digit, Starts = counts, From = from, HasFrom = shift > 0 ? 1 : 0, SortedKeys = toKeys, Order = toOrder }, Blocks(count), context.GroupSize);
            keys = toKeys;
            from = toOrder;
            (toKeys, otherKeys) = (otherKeys, toKeys);
            (toOrder, otherOrder) = (otherOrder, toOrder);
        }

        return (keys, from);
    }

    /// <summary>Where each digit of each block begins: starts [digit, block].</summary>
    public void Count(in SortDigit digit, ArrayView<int> starts)
    {
        context.Launch(new DigitCountWork { Digit = digit, Counts = starts }, Blocks(digit.Count), context.GroupSize);
        context.Launch(new ScanWork { X = starts, Count = checked((int)CountsLength(digit.Count, digit.Digits)) }, 1, context.GroupSize);
    }

    /// <summary>A multiple of 256 bytes: kernels take their operands to begin there.</summary>
    private static int Padded(int count) => (count + 63) / 64 * 64;
}
