namespace NanoFold.Engine.Modules;

/// <summary>How activations are normalized before each sub-block and before the head.</summary>
public enum NormKind
{
    /// <summary>x · rsqrt(mean(x²) + eps) · g.</summary>
    Rms,

    /// <summary>Mean 0 and variance 1, then gain and bias.</summary>
    Layer,
}
