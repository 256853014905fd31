using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Modules;

/// <summary>
/// What the modules of every layer know of the model that they are part of: its widths and how its parts are made, not which kinds of parts
/// there are. Zeros stand for what follows from the rest until the model is resolved.
/// </summary>
public abstract record ModelShape
{
    /// <summary>L, the blocks, each a mixer and a feed-forward.</summary>
    [Bounds(1, 4096)]
    public int Layers { get; init; } = 4;

    /// <summary>C, the width of the residual stream.</summary>
    [Bounds(1, 1 << 16)]
    public int Width { get; init; } = 128;

    /// <summary>H, the query heads.</summary>
    [Bounds(1, 4096)]
    public int Heads { get; init; } = 4;

    /// <summary>G, the key/value heads, of which each serves heads / kvHeads query heads; 0 for as many as <see cref="Heads"/>.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int KvHeads { get; init; }

    /// <summary>D, the width of a head; 0 for width / heads. Heads · headDim need not be the width.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int HeadDim { get; init; }

    /// <summary>T, the tokens that a sequence has in training, and at most.</summary>
    [Bounds(1, 1 << 22)]
    public int Context { get; init; } = 64;

    /// <summary>V, the symbols; 0 for as many as the tokenizer has.</summary>
    [Bounds(0, 1 << 22, Auto = true)]
    public int Vocab { get; init; }

    /// <summary>Real features of a place, read in by a linear layer; 0 for tokens, which are looked up. The task says it.</summary>
    [Bounds(0, 1 << 16)]
    public int Inputs { get; init; }

    /// <summary>Real values read out of a place by a linear layer; 0 for a head over the vocabulary. The task says it.</summary>
    [Bounds(0, 1 << 16)]
    public int Outputs { get; init; }

    /// <summary>What tokens see of each other; other than causal only where all mixers can, which are kinds of attention.</summary>
    public VisibilityKind Visibility { get; init; }

    /// <summary>F, the width within a feed-forward; 0 for 8/3 · width rounded to a multiple of 8 in gated kinds, 4 · width in others.</summary>
    [Bounds(0, 1 << 18, Auto = true)]
    public int Hidden { get; init; }

    /// <summary>The norm of each mixer and feed-forward, and before the head.</summary>
    public NormKind Norm { get; init; } = NormKind.Rms;

    /// <summary>Where norms of mixers and feed-forwards stand. The one before the head is always there.</summary>
    public NormPlaceKind NormPlace { get; init; }

    /// <summary>Layer norms have a bias.</summary>
    public bool NormBias { get; init; } = true;

    /// <summary>Gains of norms are 1 + g, and g is what is learned and stored (Gemma).</summary>
    public bool NormGainFromOne { get; init; }

    /// <summary>Whether a layer's mixer and feed-forward read the stream together. Layers that have one of them are as without.</summary>
    public ParallelKind Parallel { get; init; }

    /// <summary>What a norm adds to the mean square, or to the variance.</summary>
    [Bounds(0, 1)]
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>How a model knows where a token is.</summary>
    public PositionKind Position { get; init; } = PositionKind.Rope;

    /// <summary>The base of rotary angles: pair i of a head turns by position · base^(−2i/D).</summary>
    [Bounds(1, AboveMinimum = true)]
    public double RopeBase { get; init; } = 10000;

    /// <summary>How rotary angles are changed for texts longer than those of training.</summary>
    public RopeScalingConfig RopeScaling { get; init; } = new NoRopeScalingConfig();

    /// <summary>Turns elements 2i and 2i + 1 together (llama2.c) instead of i and i + D/2 (Hugging Face).</summary>
    public bool RopeInterleaved { get; init; }

    /// <summary>A norm of queries and of keys, before the positions (Qwen3).</summary>
    public bool QkNorm { get; init; }

    /// <summary>Over what the norm of queries and keys runs, and what has a gain of its own.</summary>
    public QkNormSpan QkNormOver { get; init; } = QkNormSpan.Head;

    /// <summary>The norm of queries and keys.</summary>
    public NormKind QkNormKind { get; init; } = NormKind.Rms;

    /// <summary>A layer norm of queries and keys has a bias.</summary>
    public bool QkNormBias { get; init; } = true;

    /// <summary>The factor on products of queries and keys in attention; 0 for 1/√D, or what the parametrization says.</summary>
    [Bounds(0, Auto = true)]
    public double ScoreScale { get; init; }

    /// <summary>c, at which scores of attention level off, c · tanh(score / c), before the softmax (Gemma 2); 0 for none.</summary>
    [Bounds(0)]
    public double ScoreCap { get; init; }

    /// <summary>The head is the embedding, transposed.</summary>
    public bool Tied { get; init; }

    /// <summary>Linear layers of mixers and feed-forwards have a bias. Gates never do; of routers and of the experts that they choose from the setting bias of moe says it, of the head and of layer norms headBias and normBias.</summary>
    public bool Bias { get; init; }

    /// <summary>What makes queries, keys and values has a bias; null for <see cref="Bias"/>.</summary>
    public bool? QkvBias { get; init; }

    /// <summary>What heads' results go through to the stream has a bias; null for <see cref="Bias"/>.</summary>
    public bool? OutputBias { get; init; }

    /// <summary>Feed-forwards have biases, in both or all of their matrices; null for <see cref="Bias"/>.</summary>
    public bool? FeedForwardBias { get; init; }

    /// <summary>The head over the vocabulary has a bias (Phi).</summary>
    public bool HeadBias { get; init; }

    /// <summary>The factor on what tokens are looked up as, before learned positions join (Gemma: √width).</summary>
    [Bounds(0, AboveMinimum = true)]
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>The factor on the product of the last norm and the head (Cohere).</summary>
    [Bounds(0, AboveMinimum = true)]
    public double LogitScale { get; init; } = 1;

    /// <summary>c, at which logits level off, c · tanh(logit / c) (Gemma 2); 0 for none. Losses are of such logits.</summary>
    [Bounds(0)]
    public double LogitCap { get; init; }

    /// <summary>The share of elements that training sets to 0 after the embedding, each mixer and each feed-forward.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Dropout { get; init; }

    /// <summary>How initial values, learning rates, scores and the head depend on the width.</summary>
    public ParametrizationConfig Parametrization { get; init; } = new StandardConfig();

    /// <summary>How matrices that write to the stream start; null for what suits the optimizer: zero with Muon, scaled with the others.</summary>
    public InitializationKind? Initialization { get; init; }

    /// <summary>The factor on the product of a query and a key of <paramref name="headDim"/> elements.</summary>
    public double ScoreScaleFor(int headDim) => ScoreScale > 0 ? ScoreScale : Parametrization.ScoreScale(headDim);
}
