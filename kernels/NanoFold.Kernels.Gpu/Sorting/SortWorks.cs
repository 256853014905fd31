using ILGPU;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Sorting;

/// <summary>How often each digit occurs in a block of keys, a block a group: counts [digit, block]. No atomics: a thread counts a digit.</summary>
internal struct DigitCountWork : IGpuWork<DigitCountWork>
{
    public SortDigit Digit;
    public ArrayView<int> Counts;

    public static void Run(DigitCountWork w)
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(GroupReduce.Most);
        int thread = Group.IdxX, block = Grid.IdxX, threads = Group.DimX;
        shared[thread] = SortDigit.Of(w.Digit, block * threads + thread);
        Group.Barrier();
        for (int digit = thread; digit < w.Digit.Digits; digit += threads)
        {
            int count = 0;
            for (int i = 0; i < threads; i++)
            {
                count += shared[i] == digit ? 1 : 0;
            }

            w.Counts[digit * Grid.DimX + block] = count;
        }
    }
}

/// <summary>x[i] = Σ x[j] over j &lt; i in place, by one group; four elements a thread at a time.</summary>
internal struct ScanWork : IGpuWork<ScanWork>
{
    public ArrayView<int> X;
    public int Count;

    public static void Run(ScanWork w)
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(GroupReduce.Most);
        int thread = Group.IdxX, threads = Group.DimX, before = 0;
        for (int first = 0; first < w.Count; first += 4 * threads)
        {
            int at = first + 4 * thread;
            int x0 = Read(w, at), x1 = Read(w, at + 1), x2 = Read(w, at + 2), x3 = Read(w, at + 3), own = x0 + x1 + x2 + x3;
            shared[thread] = own;
            Group.Barrier();
            for (int step = 1; step < threads; step <<= 1)
            {
                int left = thread >= step ? shared[thread - step] : 0;
                Group.Barrier();
                shared[thread] += left;
                Group.Barrier();
            }

            int sum = before + shared[thread] - own;
            before += shared[threads - 1];
            Group.Barrier();
            Write(w, at, sum);
            Write(w, at + 1, sum + x0);
            Write(w, at + 2, sum + x0 + x1);
            Write(w, at + 3, sum + x0 + x1 + x2);
        }
    }

    private static int Read(in ScanWork w, int i) => i < w.Count ? w.X[i] : 0;

    private static void Write(in ScanWork w, int i, int value)
    {
        if (i < w.Count)
        {
            w.X[i] = value;
        }
    }
}

/// <summary>Puts keys, and where they came from, to their places: after all of smaller digits, and those of the same digit before them.</summary>
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

/// <summary>The digit of keys that a pass sorts by.</summary>
internal struct SortDigit
{
    public ArrayView<int> Keys;
    public int Count;

    /// <summary>Keys outside of [0, Limit) count as Limit: they go last.</summary>
    public int Limit;
    public int Shift, Mask;

    /// <summary>Number of digits; keys with a larger one are left out.</summary>
    public int Digits;

    public static int Key(in SortDigit digit, int i)
    {
        int key = digit.Keys[i];
        return key < 0 || key > digit.Limit ? digit.Limit : key;
    }

    /// <summary>−1 after the last key.</summary>
    public static int Of(in SortDigit digit, int i) => i < digit.Count ? (Key(digit, i) >> digit.Shift) & digit.Mask : -1;
}
