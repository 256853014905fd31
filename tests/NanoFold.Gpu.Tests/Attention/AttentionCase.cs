using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>Sizes and mask of one attention problem.</summary>
public sealed record AttentionCase(int Batch, int Time, int Heads, int KeyHeads, int Depth)
{
    public int? Keys { get; init; }

    public int? ValueDepth { get; init; }

    public VisibleKind Kind { get; init; } = VisibleKind.Causal;

    /// <summary>Keys of each row's prefix; of that kind.</summary>
    public int Prefix { get; init; }

    public int Window { get; init; }

    public int Sinks { get; init; }

    /// <summary>Tokens of a document; 0 for no documents.</summary>
    public int DocumentLength { get; init; }

    /// <summary>Documents take turns, so that they are not packed.</summary>
    public bool Interleaved { get; init; }

    /// <summary>Queries and keys of the blocks of a table; 0 for none.</summary>
    public int QuerySize { get; init; }

    public int KeySize { get; init; }

    /// <summary>Heads of values; as many as of keys where null.</summary>
    public int? ValueHeads { get; init; }

    /// <summary>Scores decay, and a score without a value joins each row.</summary>
    public bool HasTerms { get; init; }

    /// <summary>q, k, v and their gradients are parts of the rows of one tensor.</summary>
    public bool Strided { get; init; }

    /// <summary>Gradients are added to what is there.</summary>
    public bool Accumulates { get; init; }

    /// <summary>Factor on all scores: maxima of rows grow as more keys are seen.</summary>
    public double Sharpness { get; init; } = 1.3;

    public double Scale => Sharpness / Math.Sqrt(Depth);

    public int KeyCount => Keys ?? Time;

    public int ValueHeadCount => ValueHeads ?? KeyHeads;

    public int ValueSize => ValueDepth ?? Depth;
}
