using ILGPU;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Sorting;

/// <summary>Puts keys, and where they came from, to their places: behind all of smaller digits, and those of the same digit before them.</summary>
internal struct PlaceWork : IGpuWork<PlaceWork>
{
    public SortDigit Digit;

    /// <summary>Scanned counts [digit, block].</summary>
    public ArrayView<int> Starts;

    /// <summary>Where keys came from, of passes after the first.</summary>
    public ArrayView<int> From;
    public int HasFrom;
    public ArrayView<int> SortedKeys, Order;

    public static void Run(PlaceWork w)
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(GroupReduce.Most);
        int thread = Group.IdxX, i = Grid.IdxX * Group.DimX + thread, digit = SortDigit.Of(w.Digit, i);
        int place = Place(shared, w.Starts, digit, w.Digit.Digits);
        if (place >= 0)
        {
            w.SortedKeys[place] = SortDigit.Key(w.Digit, i);
            w.Order[place] = w.HasFrom != 0 ? w.From[i] : i;
        }
    }

    /// <summary>Place of a thread's key, or −1 where it has none; all threads of the group call.</summary>
    public static int Place(ArrayView<int> shared, ArrayView<int> starts, int digit, int digits)
    {
        int thread = Group.IdxX;
        shared[thread] = digit;
        Group.Barrier();
        if (digit < 0 || digit >= digits)
        {
            return -1;
        }

        int place = starts[digit * Grid.DimX + Grid.IdxX];
        for (int other = 0; other < thread; other++)
        {
            place += shared[other] == digit ? 1 : 0;
        }

        return place;
    }
}
