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
