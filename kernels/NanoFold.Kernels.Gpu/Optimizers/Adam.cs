using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>
/// m += (1 − β₁)(g − m), v += (1 − β₂)(g² − v), p −= rate / (1 − β₁ᵗ) · m / (√(v / (1 − β₂ᵗ)) + ε) + rate · decay · p; and p once more, rounded, where that is
/// asked for. One thread of each group makes the factors that depend on the step, those of each part among them.
/// </summary>
internal struct AdamWork<TPiece, TRounded> : IGpuWork<AdamWork<TPiece, TRounded>>
    where TPiece : struct, IPiece
    where TRounded : unmanaged, IElement<TRounded>
{
    // Of the step; then two of each part.
    private const int StepFactors = 2, PartFactors = 2;

    public ArrayView<F32> Parameter, Gradient, First, Second;

    /// <summary>Read only where <see cref="Rounds"/>.</summary>
    public ArrayView<TRounded> Rounded;
    public ArrayView<long> State;
    public AdamPart A, B, C, D;
    public double Beta1, Beta2;
    public float Epsilon;
    public int Count, Rounds;

    public static void Run(AdamWork<TPiece, TRounded> w)
    {
        ArrayView<float> factors = SharedMemory.Allocate<float>(StepFactors + PartFactors * AdamPart.Most);
        ArrayView<int> ends = SharedMemory.Allocate<int>(AdamPart.Most);
        if (Slots.Double(w.State, StepSlot.GradientScale) == 0)
        {
            return;
        }

        if (Group.IdxX == 0)
        {
            long step = w.State[(int)StepSlot.Step];
            double correction1 = 1 - Power(w.Beta1, step);
            factors[0] = (float)Slots.Double(w.State, StepSlot.GradientScale);
            factors[1] = (float)(1 / (1 - Power(w.Beta2, step)));
            Share(w, w.A, 0, correction1, factors, ends);
            Share(w, w.B, 1, correction1, factors, ends);
            Share(w, w.C, 2, correction1, factors, ends);
            Share(w, w.D, 3, correction1, factors, ends);
        }

        Group.Barrier();
        float scale = factors[0], correction = factors[1];
        float take1 = (float)(1 - w.Beta1), take2 = (float)(1 - w.Beta2);
        int pieces = (w.Count + 3) / 4, stride = Grid.DimX * Group.DimX, part = 0;
        for (int i = Grid.IdxX * Group.DimX + Group.IdxX; i < pieces; i += stride)
        {
            while (4 * i >= ends[part])
            {
                part++;
            }

            float firstRate = factors[StepFactors + PartFactors * part], decayRate = factors[StepFactors + PartFactors * part + 1];
            Float4 g = TPiece.Load(w.Gradient, 0, i, w.Count) * scale;
            Float4 m = TPiece.Load(w.First, 0, i, w.Count), v = TPiece.Load(w.Second, 0, i, w.Count);
            Float4 p = TPiece.Load(w.Parameter, 0, i, w.Count);
            m += (g - m) * take1;
            v += (g * g - v) * take2;
            TPiece.Store(w.First, 0, i, w.Count, m);
            TPiece.Store(w.Second, 0, i, w.Count, v);
            var step = new Float4(
                Step(m.A * firstRate, v.A * correction, w.Epsilon), Step(m.B * firstRate, v.B * correction, w.Epsilon),
                Step(m.C * firstRate, v.C * correction, w.Epsilon), Step(m.D * firstRate, v.D * correction, w.Epsilon));
            // Not p · (1 − rate · decay): that factor, rounded to single precision, would be off by a part of the decay.
            p -= p * decayRate + step;
            TPiece.Store(w.Parameter, 0, i, w.Count, p);
            if (w.Rounds != 0)
            {
                TPiece.Store(w.Rounded, 0, i, w.Count, p);
            }
        }
    }

    private static void Share(AdamWork<TPiece, TRounded> w, AdamPart part, int index, double correction1, ArrayView<float> factors, ArrayView<int> ends)
    {
        double rate = Slots.Double(w.State, (StepSlot)part.Rate);
        ends[index] = part.End;
        factors[StepFactors + PartFactors * index] = (float)(rate / correction1);
        factors[StepFactors + PartFactors * index + 1] = (float)(rate * part.Decay);
    }

    private static float Step(float first, float second, float epsilon) => first / (MathF.Sqrt(second) + epsilon);

    /// <summary>By repeated squaring: a device need not have a power of doubles.</summary>
    private static double Power(double x, long n)
    {
        double power = 1;
        for (; n > 0; n >>= 1)
        {
            if ((n & 1) != 0)
            {
                power *= x;
            }

            x *= x;
        }

        return power;
    }
}

/// <summary>One of the parts of an update; those that are not there are as the last.</summary>
internal struct AdamPart
{
    /// <summary>Parts of an update at most.</summary>
    public const int Most = Calls.AdamWTogetherCall.MostParts;

    public double Decay;
    public int End, Rate;
}
