using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Optimizers;

/// <summary>m = keep · m + take · g; update = take · g + keep · m (Nesterov).</summary>
internal unsafe struct MomentumWork : ILaneWork
{
    public const int ElementsPerItem = 16384;

    public byte* Gradient;
    public byte* Momentum;
    public byte* Update;
    public long Count;
    public double Keep;
    public double Take;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long start = item * ElementsPerItem, offset = start * V.Type.Size();
        byte* g = Gradient + offset, m = Momentum + offset, update = Update + offset;
        nint i = 0, count = (nint)Math.Min(ElementsPerItem, Count - start);
        V keep = V.Constant(Keep), take = V.Constant(Take);
        for (; i <= count - V.Width; i += V.Width)
        {
            Step<V, Whole<V>>(g, m, update, keep, take, i, 0);
        }

        if (i < count)
        {
            Step<V, Part<V>>(g, m, update, keep, take, i, (int)(count - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<V, P>(void* g, void* m, void* update, V keep, V take, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V gradient = P.Load(g, i, count) * take;
        V momentum = V.MultiplyAdd(P.Load(m, i, count), keep, gradient);
        P.Store(m, i, count, momentum);
        P.Store(update, i, count, V.MultiplyAdd(momentum, keep, gradient));
    }
}
