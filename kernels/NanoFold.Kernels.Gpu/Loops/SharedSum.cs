using ILGPU;

namespace NanoFold.Kernels.Gpu.Loops;

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

    public static Two Sum(ArrayView<Two> shared, Two value, int lanes)
    {
        int thread = Group.IdxX, lane = thread & (lanes - 1);
        Group.Barrier();
        shared[thread] = value;
        Group.Barrier();
        for (int half = lanes >> 1; half > 0; half >>= 1)
        {
            if (lane < half)
            {
                Two a = shared[thread], b = shared[thread + half];
                shared[thread] = new Two { First = a.First + b.First, Second = a.Second + b.Second };
            }

            Group.Barrier();
        }

        return shared[thread - lane];
    }
}
