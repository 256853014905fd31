using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Cached;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Selected;

/// <summary>
/// Attention in which queries beside each other may see other blocks of keys: by lists of their own, or all means of blocks that have ended. Sizes and addresses
/// of a full pass or of new tokens over a cache.
/// </summary>
internal readonly unsafe struct SelectedProblem
{
    public readonly int Batch, Time, Keys, Heads, KeyHeads, Depth, ValueDepth;
    public readonly DType Type;
    public readonly HeadRows Q, K, V, Y;
    public readonly void* LogSumExp;
    public readonly double Scale;

    /// <summary>None where all blocks are listed.</summary>
    public readonly KeyLists Lists;

    /// <summary>Most blocks of a list.</summary>
    public readonly int Most;

    /// <summary>Keys of a block that is listed.</summary>
    public readonly int BlockKeys;

    /// <summary>Tokens that a key stands for: 1, or those of a block whose mean it is.</summary>
    private readonly int _span;

    private readonly int _shift, _tokens;
    private readonly int* _documents, _positions, _counts;

    /// <summary>A full pass over lists.</summary>
    public SelectedProblem(in AttentionProblem problem, in AttentionArgs args)
        : this(problem, args, problem.Lists, args.Visible.Blocks)
    {
        _span = 1;
        _shift = problem.Shift;
        _tokens = problem.Keys;
        _documents = args.Visible.Documents.Ints;
    }

    /// <summary>Over means of blocks.</summary>
    public SelectedProblem(in AttentionProblem problem, in AttentionArgs args, in PooledBlocks blocks)
        : this(problem, args, default, default)
    {
        _span = blocks.Size;
        _tokens = problem.Time;
        _documents = blocks.Documents.Ints;
        _positions = blocks.Positions.Ints;
        _counts = blocks.Counts.Ints;
    }

    /// <summary>New tokens over a cache in which their keys and values are.</summary>
    public SelectedProblem(in CachedProblem problem, in BlockTable table)
    {
        Batch = problem.Batch;
        Time = problem.Time;
        Keys = problem.Capacity;
        Heads = problem.Heads;
        KeyHeads = problem.KeyHeads;
        Depth = problem.Depth;
        ValueDepth = problem.ValueDepth;
        Type = problem.Type;
        Q = problem.Q;
        K = problem.KeyCache.AsWide;
        V = problem.ValueCache.AsWide;
        Y = problem.Y;
        Scale = problem.Scale;
        Lists = new KeyLists(table, Batch * Heads, Time, Keys);
        Most = table.Most;
        BlockKeys = table.KeySize;
        Group = Heads / KeyHeads;
        _span = 1;
        _positions = problem.Positions;
        _counts = problem.Counts;
    }

    private SelectedProblem(in AttentionProblem problem, in AttentionArgs args, in KeyLists lists, in BlockTable table)
    {
        Batch = problem.Batch;
        Time = problem.Time;
        Keys = problem.Keys;
        Heads = problem.Heads;
        KeyHeads = problem.KeyHeads;
        Depth = problem.Depth;
        ValueDepth = problem.ValueDepth;
        Type = problem.Type;
        Q = problem.Q;
        K = problem.K;
        V = problem.V;
        Y = problem.Y;
        LogSumExp = problem.LogSumExp;
        Scale = problem.Scale;
        Lists = lists;
        Group = Heads / KeyHeads;
        Most = table.IsNone ? 1 : table.Most;
        BlockKeys = table.IsNone ? Keys : table.KeySize;
    }

    /// <summary>Query heads that share a key head.</summary>
    public int Group { get; }

    /// <summary>Blocks that may be listed.</summary>
    public int Blocks => BlockSizes.Count(Keys, BlockKeys);

    /// <summary>Queries of a row that there are.</summary>
    public int Queries(int batch) => _counts is null ? Time : Math.Clamp(_counts[batch], 0, Time);

    /// <summary>Keys that are in order for a query: those before the result. Never falls as the query grows.</summary>
    public int End(int batch, int query)
    {
        // A division costs as much as a few lanes of products.
        int end = Position(batch, query) + 1;
        return Math.Min(_span == 1 ? end : end / _span, Keys);
    }

    public bool HasDocuments => _documents is not null;

    public int DocumentOfQuery(int batch, int query) => _documents[((long)batch * _tokens) + Position(batch, query)];

    public int DocumentOfKey(int batch, int key) => _documents[((long)batch * _tokens) + Math.Min(((key + 1L) * _span) - 1, _tokens - 1)];

    public void* LogSumExpAt<V>(int batch, int head, int time)
        where V : struct, ICpuLane<V>
        => Element.At<V>(LogSumExp, (((nint)batch * Heads + head) * Time) + time);

    private int Position(int batch, int query) => query + (_positions is null ? _shift : _positions[batch]);
}
