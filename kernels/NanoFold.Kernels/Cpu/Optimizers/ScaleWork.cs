using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Optimizers;

/// <summary>y = factor · x over contiguous memory; or, stepping, y −= factor · x + decay · y.</summary>
internal unsafe struct ScaleWork : ILaneWork
{
    public const int ElementsPerItem = 16384;

    public byte* X;
    public byte* Y;
    public long Count;
    public double Factor;
    public double Decay;
    public bool Step;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long start = item * ElementsPerItem, offset = start * V.Type.Size();
        byte* x = X + offset, y = Y + offset;
        nint i = 0, count = (nint)Math.Min(ElementsPerItem, Count - start);
        V factor = V.Constant(Factor), decay = V.Constant(Decay);
        bool step = Step;
        for (; i <= count - V.Width; i += V.Width)
        {
            Piece<V, Whole<V>>(x, y, factor, decay, step, i, 0);
        }

        if (i < count)
        {
            Piece<V, Part<V>>(x, y, factor, decay, step, i, (int)(count - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Piece<V, P>(void* x, void* y, V factor, V decay, bool step, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V value = P.Load(x, i, count) * factor;
        if (step)
        {
            V old = P.Load(y, i, count);
            value = old - V.MultiplyAdd(old, decay, value);
        }

        P.Store(y, i, count, value);
    }
}
