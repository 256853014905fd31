using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>Which keys a query sees, as ops are told: <see cref="Visible"/> with tensors for what changes from step to step.</summary>
public readonly struct Visibility
{
    /// <summary>How many of an op's inputs are those of its visibility, see <see cref="Inputs"/>.</summary>
    internal const int InputCount = 4;

    /// <summary>Every query sees every key; the default.</summary>
    public static Visibility Full => default;

    /// <summary>A query sees the keys up to its own.</summary>
    public static Visibility Causal => new() { Kind = VisibleKind.Causal };

    /// <summary>What is in order; <see cref="VisibleKind.Prefix"/> where <see cref="Prefixes"/> are given.</summary>
    public VisibleKind Kind { get; init; }

    /// <summary>Keys closer than this are seen; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>First keys that stay visible outside of the window.</summary>
    public int Sinks { get; init; }

    /// <summary>Keys of each row's prefix, Int32 [B], or none.</summary>
    public Tensor Prefixes { get; init; }

    /// <summary>Document of each token, Int32 [B, T], or none.</summary>
    public Tensor Documents { get; init; }

    /// <summary>Key blocks for each block of queries, ascending, Int32 [B, L, T / QuerySize, n] (rounded up), L dividing H, or none; see <see cref="BlockTable"/>.</summary>
    public Tensor Blocks { get; init; }

    /// <summary>Length of each list of blocks, Int32 [B, L, T / QuerySize].</summary>
    public Tensor BlockCounts { get; init; }

    /// <summary>Queries of a block.</summary>
    public int QuerySize { get; init; }

    /// <summary>Keys of a block.</summary>
    public int KeySize { get; init; }

    /// <summary>A query sees the keys up to its own, and the first keys of its row.</summary>
    /// <param name="lengths">How many, Int32 [B].</param>
    public static Visibility Prefix(Tensor lengths) => new() { Kind = VisibleKind.Prefix, Prefixes = lengths };

    /// <summary>The tensors, which come last among an op's inputs.</summary>
    internal Tensor[] Inputs => [Prefixes, Documents, Blocks, BlockCounts];

    /// <summary>What the kernels are told.</summary>
    /// <param name="call">Of an op.</param>
    /// <param name="first">Number of the first of <see cref="Inputs"/>.</param>
    internal Visible At(OpCall call, int first) => Constant with
    {
        Prefixes = call.Input(first),
        Documents = call.Input(first + 1),
        Blocks = new BlockTable { Lists = call.Input(first + 2), Counts = call.Input(first + 3), QuerySize = QuerySize, KeySize = KeySize },
    };

    public override string ToString()
        => $"{Kind}{(Window > 0 ? $" window {Window}" : "")}{(Sinks > 0 ? $" sinks {Sinks}" : "")}{(Documents.IsNone ? "" : " documents")}{(Blocks.IsNone ? "" : $" blocks {QuerySize}×{KeySize}")}".ToLowerInvariant();

    private Visible Constant => new() { Kind = Kind, Window = Window, Sinks = Sinks };
}
