using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Lanes;

/// <summary>What the float polynomials need beyond <see cref="ILane{V}"/>.</summary>
internal interface IFloatLane<V> : ILane<V>
    where V : struct, IFloatLane<V>
{
    /// <summary>Nearest integer, ties to even.</summary>
    static abstract V Round(V a);

    /// <summary>2ⁿ for integral n in [−126, 127], by its bits.</summary>
    static abstract V PowerOfTwo(V n);

    /// <summary>Splits a positive normal a into m in [√½, √2) and an integral e with a = m · 2ᵉ.</summary>
    static abstract V SplitExponent(V a, out V exponent);
}

/// <summary>Transcendentals of every float lane: one polynomial, so that scalar and vector lanes agree in their bits where both fuse.</summary>
internal static class FloatMath
{
    /// <summary>eˣ with a relative error below 2⁻²³; 0 below −103.97, ∞ above 88.72.</summary>
    /// <remarks>x = n·ln 2 + r with |r| ≤ ½ ln 2 (ln 2 in two parts), then the Taylor series of eʳ to degree 7; 2ⁿ in two factors so that subnormal results round once.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V>(V x)
        where V : struct, IFloatLane<V>
    {
        V clamped = V.Min(V.Max(x, V.Constant(-104)), V.Constant(89));
        V n = V.Round(clamped * V.Constant(1.4426950408889634));
        V r = V.MultiplyAdd(n, V.Constant(-0.693359375), clamped);
        r = V.MultiplyAdd(n, V.Constant(2.12194440054690583e-4), r);
        V p = V.Constant(1.0 / 5040);
        p = V.MultiplyAdd(p, r, V.Constant(1.0 / 720));
        p = V.MultiplyAdd(p, r, V.Constant(1.0 / 120));
        p = V.MultiplyAdd(p, r, V.Constant(1.0 / 24));
        p = V.MultiplyAdd(p, r, V.Constant(1.0 / 6));
        p = V.MultiplyAdd(p, r, V.Constant(0.5));
        p = V.MultiplyAdd(p, r, V.Constant(1));
        p = V.MultiplyAdd(p, r, V.Constant(1));
        V half = V.Round(n * V.Constant(0.5));
        V result = p * V.PowerOfTwo(half) * V.PowerOfTwo(n - half);
        // Not-a-number fails every comparison: x + 0·result passes it on.
        return V.SelectGreater(V.Constant(-103.97), x, V.Constant(0), V.SelectGreater(x, V.Constant(-104), result, x));
    }

    /// <summary>ln x with an absolute error below 2⁻²² · max(1, |ln x|); −∞ at 0, not a number below.</summary>
    /// <remarks>x = m·2ᵉ, s = (m − 1)/(m + 1), ln m = 2·artanh s as an odd polynomial to degree 11.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log<V>(V x)
        where V : struct, IFloatLane<V>
    {
        V tiny = V.Constant(1.17549435e-38);
        V isTiny = V.SelectGreater(tiny, x, V.Constant(1), V.Constant(0));
        V scaled = V.SelectGreater(tiny, x, x * V.Constant(16777216), x);
        V m = V.SplitExponent(V.Max(scaled, tiny), out V e);
        e -= isTiny * V.Constant(24);
        V s = (m - V.Constant(1)) / (m + V.Constant(1));
        V z = s * s;
        V p = V.Constant(2.0 / 11);
        p = V.MultiplyAdd(p, z, V.Constant(2.0 / 9));
        p = V.MultiplyAdd(p, z, V.Constant(2.0 / 7));
        p = V.MultiplyAdd(p, z, V.Constant(2.0 / 5));
        p = V.MultiplyAdd(p, z, V.Constant(2.0 / 3));
        p = V.MultiplyAdd(p, z, V.Constant(2));
        V result = V.MultiplyAdd(e, V.Constant(0.693359375), V.MultiplyAdd(e, V.Constant(-2.12194440054690583e-4), s * p));
        V zero = V.Constant(0);
        V nonPositive = V.SelectGreater(zero, x, V.Constant(double.NaN), V.Constant(double.NegativeInfinity));
        V finite = V.SelectGreater(x, V.Constant(float.MaxValue), x, result);
        // x > 0 holds for neither zero, negatives nor not-a-number; the last adds itself back.
        return V.SelectGreater(x, zero, finite, nonPositive + (x - x));
    }
}
