namespace NanoFold.Engine.Modules;

/// <summary>Where the norms of a layer's mixer and feed-forward stand.</summary>
public enum NormPlaceKind
{
    /// <summary>Before: x + f(norm(x)).</summary>
    Pre,

    /// <summary>After, on what joins the stream: x + norm(f(x)) (OLMo 2, arXiv 2501.00656).</summary>
    Post,

    /// <summary>Both: x + norm(f(norm(x))) (Gemma 2, arXiv 2408.00118).</summary>
    Sandwich,

    /// <summary>On the stream itself: y = norm(x), then y + f(y) (MiniMax-01, arXiv 2501.08313).</summary>
    Stream,
}

/// <summary>What a sub-block is to its residual connection.</summary>
public enum SubBlockKind
{
    /// <summary>A mixer that weighs tokens by a pattern, one that has <c>attn.hook_pattern</c>; a feed-forward may stand beside it.</summary>
    Attention,

    /// <summary>Another mixer.</summary>
    Mixer,

    /// <summary>A feed-forward.</summary>
    FeedForward,
}

/// <summary>Whether the mixer and the feed-forward of a layer read the stream one after the other or together.</summary>
public enum ParallelKind
{
    /// <summary>One after the other.</summary>
    None,

    /// <summary>Together, each through a norm of its own: x + mixer(norm₁(x)) + feedForward(norm₂(x)) (GPT-NeoX, arXiv 2204.06745).</summary>
    TwoNorms,

    /// <summary>Together, through one norm: x + mixer(norm(x)) + feedForward(norm(x)) (GPT-J, Phi, Cohere).</summary>
    OneNorm,
}
