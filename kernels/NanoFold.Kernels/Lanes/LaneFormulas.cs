using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Lanes;

/// <summary>Formulas that kernels and activations share.</summary>
public static class LaneFormulas
{
    /// <summary>σ(x) = 1 / (1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<V>(V x)
        where V : struct, ILane<V>
    {
        // From e^−|x|, so that nothing overflows: σ(x) = 1 − σ(−x).
        V e = V.Exp(-V.Abs(x));
        V one = V.Constant(1);
        V small = e / (one + e);
        return V.SelectGreater(V.Constant(0), x, small, one - small);
    }
}
