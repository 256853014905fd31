namespace NanoFold.Engine.Modules;

/// <summary>How activations are normalized around each sub-block and before the head.</summary>
public enum NormKind
{
    /// <summary>x · rsqrt(mean(x²) + eps) · g.</summary>
    Rms,

    /// <summary>Mean 0 and variance 1, then gain and bias.</summary>
    Layer,
}

/// <summary>Over what a norm of queries or keys runs.</summary>
public enum QkNormSpan
{
    /// <summary>The elements of a head, with one gain for all heads (Qwen3, Gemma 3).</summary>
    Head,

    /// <summary>The elements of a head, with a gain for each head (Cohere, StableLM).</summary>
    EachHead,

    /// <summary>All heads together (OLMo 2).</summary>
    Width,
}
