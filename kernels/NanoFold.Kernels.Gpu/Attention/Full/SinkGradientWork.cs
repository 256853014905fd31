using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.Full;

/// <summary>
/// What a score without a value leaves: with p = exp(sink − log-sum-exp), dsink = −Σ p δ over the rows of its head, and p δ is added to dc of each query, the
/// weights of whose row sum to 1 − p. A group is a head.
/// </summary>
internal struct SinkGradientWork<T> : IGpuWork<SinkGradientWork<T>>
    where T : unmanaged, IElement<T>
{
    private const float BitsPerNat = 1.44269504f;

    public SinkView<T> Sinks;

    /// <summary>See <see cref="DeltaWork{T}"/>.</summary>
    public ArrayView<float> Bits, Delta;

    public ArrayView<float> DSinks, DDecay;
    public int Batch, Time, Keys, Heads, RowLength, WantsSinks, WantsDecay, Accumulate;

    public static void Run(SinkGradientWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int head = Grid.IdxX;
        float sink = w.Sinks.Of(head, 0) * BitsPerNat, sum = 0;
        for (int i = Group.IdxX; i < w.Batch * w.Time; i += Group.DimX)
        {
            int batch = i / w.Time, time = i % w.Time;
            long pair = (long)batch * w.Heads + head, row = pair * w.RowLength + time;
            float part = XMath.Exp2(sink - w.Bits[row]) * w.Delta[row];
            sum += part;
            if (w.WantsDecay != 0)
            {
                w.DDecay[pair * w.Keys + (w.Keys - w.Time) + time] += part;
            }
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0 && w.WantsSinks != 0)
        {
            w.DSinks[head] = w.Accumulate != 0 ? w.DSinks[head] - sum : -sum;
        }
    }
}
