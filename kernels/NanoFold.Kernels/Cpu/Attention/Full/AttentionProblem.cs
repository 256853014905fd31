using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>Checked arguments of full-pass attention, as plain sizes and addresses.</summary>
internal readonly unsafe struct AttentionProblem
{
    public readonly AttentionShape Shape;
    public readonly int Batch, Time, Keys, Heads, KeyHeads, ValueHeads, Depth, ValueDepth;
    public readonly DType Type;
    public readonly HeadRows Q, K, V, Y;
    public readonly void* LogSumExp;
    public readonly double Scale, Cap;
    private readonly void* _decay, _sinkLogits;
    private readonly int* _prefixes, _documents;
    private readonly DocumentReach _reach;
    private readonly int* _spans;
    private readonly KeyLists _lists;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public AttentionProblem(string op, in AttentionArgs args, CallMemory memory)
    {
        AttentionChecks.Rank4(op, "q", args.Q);
        AttentionChecks.Real(op, "q", args.Q);
        var shape = new AttentionShape(op, args);
        Shape = shape;
        Batch = shape.Batch;
        Time = shape.Time;
        Keys = shape.Keys;
        Heads = shape.Heads;
        KeyHeads = shape.KeyHeads;
        Depth = shape.Depth;
        ValueHeads = shape.ValueHeads;
        ValueDepth = shape.ValueDepth;
        Type = shape.Type;
        _prefixes = args.Visible.Prefixes.Ints;
        _documents = args.Visible.Documents.Ints;
        if (shape.HasDocuments)
        {
            var cursor = new ScratchCursor(memory.Take(DocumentReach.Bytes(Batch, Keys) + DocumentSpans.Bytes(Batch, Keys) + ScratchCursor.Alignment));
            _reach = new DocumentReach(_documents, Batch, Keys, cursor.Take(DocumentReach.Bytes(Batch, Keys)));
            _spans = (int*)cursor.Take(DocumentSpans.Bytes(Batch, Keys));
            DocumentSpans.Fill(_documents, Batch, Keys, _spans);
        }

        _lists = new KeyLists(args.Visible.Blocks, Batch * Heads, Time, Keys);
        Q = new HeadRows(args.Q);
        K = new HeadRows(args.K);
        V = new HeadRows(args.V);
        Y = new HeadRows(args.Y);
        LogSumExp = args.LogSumExp.Address;
        Scale = args.Scale;
        Cap = args.Cap;
        _decay = args.Decay.Address;
        _sinkLogits = args.SinkLogits.Address;
    }

    /// <summary>Query heads that share a key head.</summary>
    public int Group => Heads / KeyHeads;

    /// <summary>Key heads that share a value head.</summary>
    public int KeyGroup => KeyHeads / ValueHeads;

    /// <summary>Whether scores decay, see <see cref="AttentionArgs.Decay"/>.</summary>
    public bool HasDecay => _decay is not null;

    public bool HasSinkLogits => _sinkLogits is not null;

    /// <summary>Position of query 0 among the keys: the last query stands at the last key.</summary>
    public int Shift => Keys - Time;

    /// <summary>Which key blocks are listed.</summary>
    public KeyLists Lists => _lists;

    /// <summary>The keys that queries of a head see, which have one list.</summary>
    public KeyBlocks KeysOf(int batch, int head, int firstQuery, int lastQuery)
        => Walk(batch, firstQuery, lastQuery, _lists.Of(((long)batch * Heads) + head, firstQuery));

    /// <summary>The keys that queries may see, whatever blocks are listed.</summary>
    public KeyBlocks KeysOf(int batch, int firstQuery, int lastQuery) => Walk(batch, firstQuery, lastQuery, default);

    /// <summary>The visible part of a block of keys × queries [firstQuery, firstQuery + queries), but for documents that come back.</summary>
    public BlockMask Mask(int batch, in KeyBlocks keys, int firstQuery, int queries)
    {
        int position = firstQuery + Shift, first = Math.Min(keys.First, position), last = Math.Max(keys.First + keys.Count, position + queries) - 1;
        DocumentSpans spans = Spans(batch);
        bool isOne = spans.IsNone || spans.Start(last) <= first;
        return new(keys.Count, queries, 1, keys.First - position, keys.RuleFrom(position), isOne ? default : spans.From(position));
    }

    /// <summary>Whether queries see no key after a block.</summary>
    public bool IsLast(int batch, KeyBlocks keys, int firstQuery, int queries)
    {
        while (keys.Next())
        {
            if (!Mask(batch, keys, firstQuery, queries).IsEmpty)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// False where no document of the keys can be one of the queries', though the mask is not empty: documents come back, and their ranges are compared.
    /// Otherwise the documents of both, which are null where the mask says all.
    /// </summary>
    public bool DocumentsMeet(int batch, in KeyBlocks keys, int firstQuery, int queries, out int* ofKeys, out int* ofQueries)
    {
        ofKeys = ofQueries = null;
        if (_documents is null || !Spans(batch).IsNone)
        {
            return true;
        }

        int* row = _documents + ((long)batch * Keys), key = row + keys.First, query = row + firstQuery + Shift;
        Range(key, keys.Count, out int keyLow, out int keyHigh);
        Range(query, queries, out int low, out int high);
        if (keyLow != keyHigh || low != high || low != keyLow)
        {
            ofKeys = key;
            ofQueries = query;
        }

        return keyLow <= high && low <= keyHigh;
    }

    public void* LogSumExpRow<V>(int batch, int head, int time)
        where V : struct, ICpuLane<V>
        => Element.At<V>(LogSumExp, ((nint)batch * Heads + head) * Time + time);

    /// <summary>Running sums of log decays of a head from a position on.</summary>
    public void* DecayRow<V>(int batch, int head, int position)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_decay, (((nint)batch * Heads) + head) * Keys + position);

    public double SinkLogit<V>(int head)
        where V : struct, ICpuLane<V>
        => Element.Get<V>(_sinkLogits, head);

    private KeyBlocks Walk(int batch, int firstQuery, int lastQuery, in KeyList list)
    {
        VisibleRule rule = _prefixes is null ? Shape.Rule : Shape.Rule.WithPrefix(_prefixes[batch]);
        int first = firstQuery + Shift, last = lastQuery + Shift;
        DocumentSpans spans = Spans(batch);
        (int Low, int High) reach = _documents is null ? (0, Keys) : spans.IsNone ? _reach.Of(batch, first, last) : (spans.Start(first), spans.End(last));
        return new KeyBlocks(rule, first, last, Keys, BlockSizes.Keys, reach, list);
    }

    private DocumentSpans Spans(int batch) => _spans is null ? default : DocumentSpans.Of(_spans, batch, Keys);

    private static void Range(int* documents, int count, out int low, out int high)
    {
        low = high = documents[0];
        for (int i = 1; i < count; i++)
        {
            low = Math.Min(low, documents[i]);
            high = Math.Max(high, documents[i]);
        }
    }
}
