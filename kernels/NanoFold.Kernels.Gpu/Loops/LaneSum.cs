using ILGPU;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>
/// Sums over each run of <c>lanes</c> neighboring threads, a power of two of them: so a group works on several rows at once.
/// All threads of the group call, each gets the sum of its own run. Kernels are compiled for the way that suits the device.
/// </summary>
internal interface ILaneSum
{
    /// <param name="shared">Room for a value of each thread of the group.</param>
    /// <param name="value">The thread's own.</param>
    /// <param name="lanes">Threads of a run.</param>
    static abstract float Sum(ArrayView<float> shared, float value, int lanes);

    /// <inheritdoc cref="Sum(ArrayView{float}, float, int)"/>
    static abstract SumPair Sum(ArrayView<SumPair> shared, SumPair value, int lanes);
}

/// <summary>Two sums that are made at once.</summary>
internal struct SumPair
{
    public float First, Second;
}

/// <summary>Sums by halving in shared memory: for any device, with a barrier a step.</summary>
internal readonly struct SharedSum : ILaneSum
{
    public static float Sum(ArrayView<float> shared, float value, int lanes)
    {
        int thread = Group.IdxX, lane = thread & (lanes - 1);
        Group.Barrier();
        shared[thread] = value;
        Group.Barrier();
        for (int half = lanes >> 1; half > 0; half >>= 1)
        {
            if (lane < half)
            {
                shared[thread] += shared[thread + half];
            }

            Group.Barrier();
        }

        return shared[thread - lane];
    }

    public static SumPair Sum(ArrayView<SumPair> shared, SumPair value, int lanes)
    {
        int thread = Group.IdxX, lane = thread & (lanes - 1);
        Group.Barrier();
        shared[thread] = value;
        Group.Barrier();
        for (int half = lanes >> 1; half > 0; half >>= 1)
        {
            if (lane < half)
            {
                SumPair a = shared[thread], b = shared[thread + half];
                shared[thread] = new SumPair { First = a.First + b.First, Second = a.Second + b.Second };
            }

            Group.Barrier();
        }

        return shared[thread - lane];
    }
}

/// <summary>
/// Sums by exchange within a warp: for CUDA, whose warps have 32 threads. Without barriers where a run is no longer than a warp;
/// longer runs add their warps' sums up through shared memory.
/// </summary>
internal readonly struct WarpSum : ILaneSum
{
    /// <summary>Threads of a warp.</summary>
    public const int Lanes = 32;

    public static float Sum(ArrayView<float> shared, float value, int lanes)
    {
        value = Within(value, lanes);
        if (lanes > Lanes)
        {
            Group.Barrier();
            if (Group.IdxX % Lanes == 0)
            {
                shared[Group.IdxX / Lanes] = value;
            }

            Group.Barrier();
            int first = (Group.IdxX & -lanes) / Lanes;
            value = shared[first];
            for (int warp = 1; warp < lanes / Lanes; warp++)
            {
                value += shared[first + warp];
            }
        }

        return value;
    }

    public static SumPair Sum(ArrayView<SumPair> shared, SumPair value, int lanes)
    {
        value = new SumPair { First = Within(value.First, lanes), Second = Within(value.Second, lanes) };
        if (lanes > Lanes)
        {
            Group.Barrier();
            if (Group.IdxX % Lanes == 0)
            {
                shared[Group.IdxX / Lanes] = value;
            }

            Group.Barrier();
            int first = (Group.IdxX & -lanes) / Lanes;
            value = shared[first];
            for (int warp = 1; warp < lanes / Lanes; warp++)
            {
                SumPair other = shared[first + warp];
                value = new SumPair { First = value.First + other.First, Second = value.Second + other.Second };
            }
        }

        return value;
    }

    // Both of a pair add the same two numbers: so all lanes get the same bits.
    private static float Within(float value, int lanes)
    {
        value = Step(value, lanes, 16);
        value = Step(value, lanes, 8);
        value = Step(value, lanes, 4);
        value = Step(value, lanes, 2);
        return Step(value, lanes, 1);
    }

    private static float Step(float value, int lanes, int half)
    {
        float other = Warp.ShuffleXor(value, half);
        return value + (lanes > half ? other : 0);
    }
}
