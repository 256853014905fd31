using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Optimizers;

/// <summary>
/// g' = scale · g; m += (1 − β₁)(g' − m); v += (1 − β₂)(g'² − v); p −= rate · (m̂ / (√v̂ + ε) + decay · p), all in one pass.
/// </summary>
internal unsafe struct AdamWork : ILaneWork
{
    public const int ElementsPerItem = 16384;

    public byte* Parameter;
    public byte* Gradient;
    public byte* First;
    public byte* Second;
    public long Count;
    public double GradientScale;
    public double Keep1;
    public double Keep2;

    /// <summary>rate / (1 − β₁ᵗ).</summary>
    public double FirstRate;

    /// <summary>1 / (1 − β₂ᵗ).</summary>
    public double SecondCorrection;
    public double Epsilon;

    /// <summary>rate · decay.</summary>
    public double DecayRate;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long start = item * ElementsPerItem, offset = start * V.Type.Size();
        byte* p = Parameter + offset, g = Gradient + offset, m = First + offset, v = Second + offset;
        nint i = 0, count = (nint)Math.Min(ElementsPerItem, Count - start);
        var constants = new Constants<V>
        {
            Scale = V.Constant(GradientScale),
            Take1 = V.Constant(1 - Keep1),
            Take2 = V.Constant(1 - Keep2),
            Rate = V.Constant(FirstRate),
            Correction = V.Constant(SecondCorrection),
            Epsilon = V.Constant(Epsilon),
            DecayRate = V.Constant(DecayRate),
        };
        for (; i <= count - V.Width; i += V.Width)
        {
            Update<V, Whole<V>>(p, g, m, v, in constants, i, 0);
        }

        if (i < count)
        {
            Update<V, Part<V>>(p, g, m, v, in constants, i, (int)(count - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Update<V, P>(void* p, void* g, void* m, void* v, in Constants<V> k, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V gradient = P.Load(g, i, count) * k.Scale;
        V first = P.Load(m, i, count), second = P.Load(v, i, count);
        first = V.MultiplyAdd(gradient - first, k.Take1, first);
        second = V.MultiplyAdd(gradient * gradient - second, k.Take2, second);
        P.Store(m, i, count, first);
        P.Store(v, i, count, second);
        V step = first * k.Rate / (V.Sqrt(second * k.Correction) + k.Epsilon);
        V parameter = P.Load(p, i, count);
        // Not p · (1 − rate · decay): that factor, rounded to single precision, would be off by a part of the decay.
        P.Store(p, i, count, parameter - V.MultiplyAdd(parameter, k.DecayRate, step));
    }

    private struct Constants<V>
    {
        public V Scale;
        public V Take1;
        public V Take2;
        public V Rate;
        public V Correction;
        public V Epsilon;
        public V DecayRate;
    }
}
