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

    /// <summary>ln(1 + eˣ); small values stay exact to their own size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Softplus<V>(V x)
        where V : struct, ILane<V>
    {
        // max(x, 0) + ln(1 + e) with e = e^−|x|. What 1 + e rounds e to is divided out again: ln(1 + e) = ln u · e / (u − 1) with u = 1 + e.
        V e = V.Exp(-V.Abs(x));
        V u = V.Constant(1) + e, rounded = u - V.Constant(1);
        V logarithm = V.SelectGreater(rounded, V.Constant(0), V.Log(u) * (e / V.Max(rounded, V.Constant(1e-30))), e);
        return V.Max(V.Constant(0), x) + logarithm;
    }
}
