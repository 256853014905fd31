using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>
/// Adds the partial sums [count, 2, width] up, in an order fixed by their number, and onto first [width] and second [width], of which either may be missing.
/// </summary>
internal struct PartialSumWork : IGpuWork<PartialSumWork>
{
    /// <summary>Columns of a group; its threads share out the partial sums of each.</summary>
    public const int Columns = 8;

    public ArrayView<F32> Partials;
    public ArrayView<float> First, Second;
    public int Count, Width, HasFirst, HasSecond;

    public static void Run(PartialSumWork w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int thread = Group.IdxX, slices = Group.DimX / Columns, slice = thread / Columns;
        int column = Grid.IdxX * Columns + thread % Columns;
        bool isSecond = column >= w.Width, isWanted = column < 2 * w.Width && (isSecond ? w.HasSecond : w.HasFirst) != 0;
        float sum = 0;
        int i = slice, end = isWanted ? w.Count : 0;
        // Four loads are under way at a time.
        for (; i + 3 * slices < end; i += 4 * slices)
        {
            sum += Read(w, i, column) + Read(w, i + slices, column) + (Read(w, i + 2 * slices, column) + Read(w, i + 3 * slices, column));
        }

        for (; i < end; i += slices)
        {
            sum += Read(w, i, column);
        }

        shared[thread] = sum;
        Group.Barrier();
        for (int half = slices >> 1; half > 0; half >>= 1)
        {
            if (slice < half)
            {
                shared[thread] += shared[thread + half * Columns];
            }

            Group.Barrier();
        }

        if (slice == 0 && isWanted)
        {
            if (isSecond)
            {
                w.Second[column - w.Width] += shared[thread];
            }
            else
            {
                w.First[column] += shared[thread];
            }
        }
    }

    private static float Read(in PartialSumWork w, int partial, int column) => F32.Read(w.Partials[2L * w.Width * partial + column]);
}
