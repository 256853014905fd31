using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Lanes;

/// <summary>What the float polynomials need beyond <see cref="ILane{V}"/>.</summary>
internal interface IFloatLane<V> : ILane<V>
    where V : struct, IFloatLane<V>
{
    /// <summary>a · 2ⁿ by adding n to the bits of the exponent; <paramref name="shifted"/> is n + <see cref="FloatMath.Shift"/>, so that its low bits are n.</summary>
    static abstract V AddToExponent(V a, V shifted);

    /// <summary>Splits a positive normal a into m in [√½, √2) and an integral e with a = m · 2ᵉ.</summary>
    static abstract V SplitExponent(V a, out V exponent);
}

/// <summary>Transcendentals of every float lane: one polynomial, so that scalar and vector lanes agree in their bits where both fuse.</summary>
internal static class FloatMath
{
    /// <summary>1.5 · 2²³: added to a number of at most 2²², it leaves the nearest integer (ties to even) in the low bits.</summary>
    public const double Shift = 12582912;

    /// <summary>eˣ with a relative error below 2⁻²³; ∞ above 88.7228, 0 below −87.3365, where the result would no longer be a normal number.</summary>
    /// <remarks>
    /// x = n·ln 2 + r with |r| ≤ ½ ln 2 (ln 2 in two parts), then a polynomial of degree 6 whose last five coefficients minimize the largest relative error (3·10⁻⁹).
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V>(V x)
        where V : struct, IFloatLane<V>
    {
        // Not-a-number as the second operand is the result of both, and goes through all that follows.
        V clamped = V.Max(V.Constant(-88), V.Min(V.Constant(89), x));
        V shifted = V.MultiplyAdd(clamped, V.Constant(1.4426950408889634), V.Constant(Shift));
        V n = shifted - V.Constant(Shift);
        V r = V.MultiplyAdd(n, V.Constant(-0.693359375), clamped);
        r = V.MultiplyAdd(n, V.Constant(2.12194440054690583e-4), r);
        V p = V.Constant(0.0013814597849751327);
        p = V.MultiplyAdd(p, r, V.Constant(0.008368716951414909));
        p = V.MultiplyAdd(p, r, V.Constant(0.04166838806210555));
        p = V.MultiplyAdd(p, r, V.Constant(0.16666520630938567));
        p = V.MultiplyAdd(p, r, V.Constant(0.49999993447712));
        p = V.MultiplyAdd(p, r, V.Constant(1));
        p = V.MultiplyAdd(p, r, V.Constant(1));
        V result = V.SelectGreater(x, V.Constant(88.722832), V.Constant(double.PositiveInfinity), V.AddToExponent(p, shifted));
        return V.SelectGreater(V.Constant(-87.33654), x, V.Constant(0), result);
    }

    /// <summary>2ˣ for x ≤ 0 with a relative error below 2⁻²³; 2⁻¹²⁶ below −126.</summary>
    /// <remarks>x = n + f with |f| ≤ ½, which is exact, then the polynomial of <see cref="Exp"/> in f ln 2.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DecayOfTwo<V>(V x)
        where V : struct, IFloatLane<V>
    {
        // Not-a-number as the second operand is the result, and goes through all that follows.
        V clamped = V.Max(V.Constant(-126), x), shifted = clamped + V.Constant(Shift);
        V f = clamped - (shifted - V.Constant(Shift));
        V p = V.Constant(0.0001532113760527119);
        p = V.MultiplyAdd(p, f, V.Constant(0.0013390172889923046));
        p = V.MultiplyAdd(p, f, V.Constant(0.00961852646611431));
        p = V.MultiplyAdd(p, f, V.Constant(0.05550362232984629));
        p = V.MultiplyAdd(p, f, V.Constant(0.2402264754784355));
        p = V.MultiplyAdd(p, f, V.Constant(0.69314718055994531));
        p = V.MultiplyAdd(p, f, V.Constant(1));
        return V.AddToExponent(p, shifted);
    }

    /// <summary>tanh x with a relative error below 2⁻²¹.</summary>
    /// <remarks>
    /// (1 − e)/(1 + e) with e = e^(−2|x|); below 0.55, where that difference loses digits, x + x³ p(x²) with p of degree 4, which interpolates to a relative
    /// error of 4·10⁻⁹.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<V>(V x)
        where V : struct, IFloatLane<V>
    {
        V a = V.Abs(x);
        V e = V.Exp(V.Constant(-2) * a);
        V large = (V.Constant(1) - e) / (V.Constant(1) + e);
        V z = x * x;
        V p = V.Constant(-0.006610227831114735);
        p = V.MultiplyAdd(p, z, V.Constant(0.021309388664443474));
        p = V.MultiplyAdd(p, z, V.Constant(-0.05390942882746055));
        p = V.MultiplyAdd(p, z, V.Constant(0.1333311372902087));
        p = V.MultiplyAdd(p, z, V.Constant(-0.3333333200797698));
        V signed = V.SelectGreater(V.Constant(0), x, -large, large);
        return V.SelectGreater(V.Constant(0.55), a, V.MultiplyAdd(p * z, x, x), signed);
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

    /// <summary>1 − erf x with an error below 4·10⁻⁷ of it and 1.5·10⁻⁷ · x² more from the exponential.</summary>
    /// <remarks>
    /// For x ≥ 0 it is e^(−x²) · t · p(t) with t = 1/(1 + 0.48 x) and p of degree 8, which interpolates to a relative error of 9·10⁻⁸; erfc(−x) = 2 − erfc x.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Erfc<V>(V x)
        where V : struct, IFloatLane<V>
    {
        V a = V.Abs(x);
        V t = V.Constant(1) / V.MultiplyAdd(V.Constant(0.48), a, V.Constant(1));
        V p = V.Constant(-0.054937680268141473);
        p = V.MultiplyAdd(p, t, V.Constant(0.29243379765439636));
        p = V.MultiplyAdd(p, t, V.Constant(-0.57540233579630196));
        p = V.MultiplyAdd(p, t, V.Constant(0.4385257976120138));
        p = V.MultiplyAdd(p, t, V.Constant(-0.1106754349453762));
        p = V.MultiplyAdd(p, t, V.Constant(0.23913631891329579));
        p = V.MultiplyAdd(p, t, V.Constant(0.22816957530099293));
        p = V.MultiplyAdd(p, t, V.Constant(0.27199066011970826));
        p = V.MultiplyAdd(p, t, V.Constant(0.27075928730229486));
        V tail = V.Exp(-(a * a)) * (t * p);
        return V.SelectGreater(V.Constant(0), x, V.Constant(2) - tail, tail);
    }
}
