namespace NanoFold.Kernels.Calls.Attention;

/// <summary>What is in order for a query, before windows, documents and blocks are looked at.</summary>
public enum VisibleKind
{
    /// <summary>Every key.</summary>
    Full,

    /// <summary>The keys up to its own.</summary>
    Causal,

    /// <summary>The keys up to its own, and those of the row's prefix (prefix LM).</summary>
    Prefix,
}

/// <summary>
/// Which keys a query sees: the one description that softmax, attention and cached attention are given. Query t of T stands at position
/// t − T + S of S keys, so that the last query stands at the last key. It sees the key at j where <see cref="VisibleRule"/> says so
/// (<see cref="Kind"/>, <see cref="Window"/>, <see cref="Sinks"/>), both are of one document where documents are given, and the key's block is
/// listed where there is a table. The default sees everything.
/// </summary>
public readonly struct Visible
{
    /// <summary>Causal attention over all keys.</summary>
    public static Visible Causal => new() { Kind = VisibleKind.Causal };

    public VisibleKind Kind { get; init; }

    /// <summary>Keys closer than this are seen, back from and including the query's own and, where they are in order, ahead of it; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>First keys that stay visible outside of the window (StreamingLLM, arXiv 2309.17453).</summary>
    public int Sinks { get; init; }

    /// <summary>Keys of each row's prefix, Int32 [B]; of <see cref="VisibleKind.Prefix"/> alone.</summary>
    public View Prefixes { get; init; }

    /// <summary>Document of each key, Int32 [B, S], or none.</summary>
    public View Documents { get; init; }

    /// <summary>Blocks of keys for each block of queries, or none.</summary>
    public BlockTable Blocks { get; init; }

    /// <summary>The rule; that of a prefix of 0 where prefixes are data.</summary>
    /// <param name="keys">S, where it is known: a window of all keys is none.</param>
    public VisibleRule Rule(int keys = int.MaxValue)
        => new(Kind == VisibleKind.Full ? VisibleRule.Far : 0, Window < keys ? Window : 0, Sinks);

    /// <summary>Shows its views, see <see cref="IKernelCall{TSelf}.Visit"/>.</summary>
    internal Visible Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Prefixes = visitor.Visit("prefixes", Prefixes, Access.Read),
            Documents = visitor.Visit("documents", Documents, Access.Read),
            Blocks = Blocks with
            {
                Lists = visitor.Visit("blocks", Blocks.Lists, Access.Read),
                Counts = visitor.Visit("block counts", Blocks.Counts, Access.Read),
            },
        };

    /// <exception cref="ArgumentException">Something does not fit.</exception>
    internal void Check(string op, int batch, int heads, int queries, int keys)
    {
        if (Window < 0 || Sinks < 0)
        {
            Checks.Throw(op, $"window {Window} and sinks {Sinks}, expected at least 0");
        }

        if (keys >= VisibleRule.Far)
        {
            Checks.Throw(op, $"{keys} keys, expected less than {VisibleRule.Far}");
        }

        if (Prefixes.IsNone == (Kind == VisibleKind.Prefix))
        {
            Checks.Throw(op, $"prefixes are {(Prefixes.IsNone ? "missing" : "given")} where visibility is {Kind}");
        }

        if (!Prefixes.IsNone)
        {
            Checks.Integers(op, "prefixes", Prefixes, batch);
        }

        if (!Documents.IsNone)
        {
            Checks.Integers(op, "documents", Documents, (long)batch * keys);
        }

        // Queries before the first key have no document, and no key is near them.
        if (queries > keys && (Kind == VisibleKind.Prefix || (Kind == VisibleKind.Full && (Window > 0 || !Documents.IsNone))))
        {
            Checks.Throw(op, $"{keys} keys are fewer than {queries} queries");
        }

        Blocks.Check(op, batch, heads, queries, keys);
    }
}

/// <summary>
/// Lists of key blocks: a query in block i = t / <see cref="QuerySize"/> of a head sees of the keys that it could see those in the first Counts[i]
/// blocks of its list. Heads may share lists: L divides H, and head h reads list h / (H / L); of lists that are the same for all rows and heads there
/// need be only one. Lists and counts may change from step to step on the device (block-sparse, mixture of block attention, native sparse attention).
/// </summary>
public readonly struct BlockTable
{
    /// <summary>Blocks in ascending order, each once, Int32 [B, L, T / QuerySize, n] (rounded up) or [1, 1, ..], contiguous. What lies after the count is not read.</summary>
    public View Lists { get; init; }

    /// <summary>Length of each list, at most n, Int32 [B, L, T / QuerySize], contiguous.</summary>
    public View Counts { get; init; }

    /// <summary>Queries of a block.</summary>
    public int QuerySize { get; init; }

    /// <summary>Keys of a block.</summary>
    public int KeySize { get; init; }

    public bool IsNone => Lists.IsNone;

    /// <summary>n.</summary>
    public int Most => Lists.Layout[-1];

    /// <summary>How many pairs of a batch row and a head, numbered b · H + h, share a list.</summary>
    /// <param name="pairs">B · H.</param>
    /// <param name="queries">T.</param>
    public int Share(int pairs, int queries) => IsNone ? 1 : (int)Math.Max(1, (long)pairs * ((queries + QuerySize - 1) / QuerySize) / Math.Max(1, Counts.Count));

    internal void Check(string op, int batch, int heads, int queries, int keys)
    {
        if (IsNone)
        {
            return;
        }

        if (QuerySize < 1 || KeySize < 1)
        {
            Checks.Throw(op, $"blocks of {QuerySize} queries and {KeySize} keys, expected at least 1");
        }

        long each = (queries + QuerySize - 1L) / QuerySize, rows = each == 0 ? 0 : Counts.Count / each, perRow = batch == 0 ? 0 : rows / batch;
        bool isShared = rows == 1 || (perRow > 0 && rows == perRow * batch && heads % perRow == 0);
        long expected = (isShared ? rows : (long)batch * heads) * each;
        Checks.Integers(op, "block counts", Counts, expected);
        Checks.Integers(op, "blocks", Lists, expected * (Lists.Layout.Rank == 0 ? 1 : Most));
        if (keys < queries)
        {
            Checks.Throw(op, $"{keys} keys are fewer than {queries} queries, which blocks are listed for");
        }
    }
}
