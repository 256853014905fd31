using ILGPU;

namespace NanoFold.Kernels.Gpu;

/// <summary>Reductions over the threads of a group, a power of two of them, in an order that depends on their number only. All threads call; all get the result.</summary>
internal static class GroupReduce
{
    /// <summary>Threads of a group at most: the room that kernels keep in shared memory.</summary>
    public const int Most = 256;

    public static float Sum(ArrayView<float> shared, float value)
    {
        int thread = Group.IdxX;
        Group.Barrier();
        shared[thread] = value;
        Group.Barrier();
        for (int half = Group.DimX >> 1; half > 0; half >>= 1)
        {
            if (thread < half)
            {
                shared[thread] += shared[thread + half];
            }

            Group.Barrier();
        }

        return shared[0];
    }

    public static double Sum(ArrayView<double> shared, double value)
    {
        int thread = Group.IdxX;
        Group.Barrier();
        shared[thread] = value;
        Group.Barrier();
        for (int half = Group.DimX >> 1; half > 0; half >>= 1)
        {
            if (thread < half)
            {
                shared[thread] += shared[thread + half];
            }

            Group.Barrier();
        }

        return shared[0];
    }

    public static float Max(ArrayView<float> shared, float value)
    {
        int thread = Group.IdxX;
        Group.Barrier();
        shared[thread] = value;
        Group.Barrier();
        for (int half = Group.DimX >> 1; half > 0; half >>= 1)
        {
            if (thread < half)
            {
                float a = shared[thread], b = shared[thread + half];
                // Not-a-number wins: it must not vanish in a maximum.
                shared[thread] = a > b || Bits.IsNaN(a) ? a : b;
            }

            Group.Barrier();
        }

        return shared[0];
    }
}
