using ILGPU;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>Reductions over the threads of a group, a power of two of them, in an order that depends on their number only. All threads call; all get the result.</summary>
public static class GroupReduce
{
    /// <summary>Threads of a group at most: the room that kernels keep in shared memory.</summary>
    public const int Most = 256;

    public static float Sum(ArrayView<float> shared, float value) => Over<float, FloatSum>(shared, value);

    public static double Sum(ArrayView<double> shared, double value) => Over<double, DoubleSum>(shared, value);

    /// <summary>The largest; what is not a number wins: it must not vanish.</summary>
    public static float Max(ArrayView<float> shared, float value) => Over<float, FloatMax>(shared, value);

    private static T Over<T, TPair>(ArrayView<T> shared, T value)
        where T : unmanaged
        where TPair : struct, IPair<T>
    {
        int thread = Group.IdxX;
        // The room may still be read by a reduction before this one.
        Group.Barrier();
        shared[thread] = value;
        Group.Barrier();
        for (int half = Group.DimX >> 1; half > 0; half >>= 1)
        {
            if (thread < half)
            {
                shared[thread] = TPair.Of(shared[thread], shared[thread + half]);
            }

            Group.Barrier();
        }

        return shared[0];
    }

    internal interface IPair<T>
    {
        static abstract T Of(T a, T b);
    }

    internal readonly struct FloatSum : IPair<float>
    {
        public static float Of(float a, float b) => a + b;
    }

    internal readonly struct DoubleSum : IPair<double>
    {
        public static double Of(double a, double b) => a + b;
    }

    internal readonly struct FloatMax : IPair<float>
    {
        public static float Of(float a, float b) => a > b || Bits.IsNaN(a) ? a : b;
    }
}
