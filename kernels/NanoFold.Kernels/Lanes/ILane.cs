namespace NanoFold.Kernels.Lanes;

/// <summary>
/// Arithmetic that a formula may use. A formula is written once over a lane and runs as scalar, 4, 8 or 16 floats,
/// as a double in gradient checks, and as one element in a GPU kernel.
/// </summary>
public interface ILane<V>
    where V : struct, ILane<V>
{
    static abstract V Constant(double value);

    static abstract V operator +(V a, V b);

    static abstract V operator -(V a, V b);

    static abstract V operator *(V a, V b);

    static abstract V operator /(V a, V b);

    static abstract V operator -(V a);

    /// <summary>a · b + c, fused where the lane can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    static abstract V Max(V a, V b);

    static abstract V Min(V a, V b);

    static abstract V Abs(V a);

    static abstract V Sqrt(V a);

    static abstract V Exp(V a);

    /// <summary>The hyperbolic tangent: small numbers stay exact to their own size.</summary>
    static abstract V Tanh(V a);

    static abstract V Log(V a);

    /// <summary>erfc a = 1 − erf a = 2/√π ∫ e^(−t²) dt from a on: small numbers stay exact to their own size.</summary>
    static abstract V Erfc(V a);

    /// <summary>a &gt; b ? ifGreater : otherwise, element by element.</summary>
    static abstract V SelectGreater(V a, V b, V ifGreater, V otherwise);
}
