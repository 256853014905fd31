using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>
/// m += (1 − β₁)(g − m), v += (1 − β₂)(g² − v), p −= rate / (1 − β₁ᵗ) · m / (√(v / (1 − β₂ᵗ)) + ε) + rate · decay · p.
/// One thread of each group makes the factors that depend on the step.
/// </summary>
internal struct AdamWork<TPiece> : IGpuWork<AdamWork<TPiece>>
    where TPiece : struct, IPiece
{
    public ArrayView<F32> Parameter, Gradient, First, Second;
    public ArrayView<long> State;
    public double Beta1, Beta2, Decay;
    public float Epsilon;
    public int Count, Rate;

    public static void Run(AdamWork<TPiece> w)
    {
        ArrayView<float> factors = SharedMemory.Allocate<float>(4);
        if (Slots.Double(w.State, StepSlot.GradientScale) == 0)
        {
            return;
        }

        if (Group.IdxX == 0)
        {
            long step = w.State[(int)StepSlot.Step];
            double rate = Slots.Double(w.State, (StepSlot)w.Rate);
            factors[0] = (float)Slots.Double(w.State, StepSlot.GradientScale);
            factors[1] = (float)(rate / (1 - Power(w.Beta1, step)));
            factors[2] = (float)(1 / (1 - Power(w.Beta2, step)));
            factors[3] = (float)(rate * w.Decay);
        }

        Group.Barrier();
        float scale = factors[0], firstRate = factors[1], correction = factors[2], decayRate = factors[3];
        float take1 = (float)(1 - w.Beta1), take2 = (float)(1 - w.Beta2);
        int pieces = (w.Count + 3) / 4, stride = Grid.DimX * Group.DimX;
        for (int i = Grid.IdxX * Group.DimX + Group.IdxX; i < pieces; i += stride)
        {
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
            TPiece.Store(w.Parameter, 0, i, w.Count, p - (p * decayRate + step));
        }
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
