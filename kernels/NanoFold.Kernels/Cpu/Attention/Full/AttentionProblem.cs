using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Loss;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>Checked arguments of full-pass attention, as plain sizes and addresses.</summary>
internal readonly unsafe struct AttentionProblem
{
    public readonly AttentionShape Shape;
    public readonly int Batch, Time, Keys, Heads, KeyHeads, Depth, ValueDepth;
    public readonly DType Type;
    public readonly HeadRows Q, K, V, Y;
    public readonly void* LogSumExp;
    public readonly double Scale;
    public readonly bool Causal;
    public readonly int Window, Sinks;
    public readonly int* Documents;
    public readonly nint DocumentBatch, DocumentTime;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public AttentionProblem(string op, in AttentionArgs args)
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
        ValueDepth = shape.ValueDepth;
        Type = shape.Type;
        Causal = shape.Causal;
        Window = shape.Window;
        Sinks = shape.Sinks;
        if (shape.HasDocuments)
        {
            View documents = args.Mask.Documents;
            Documents = documents.Ints;
            DocumentBatch = (nint)documents.Layout.Stride(0);
            DocumentTime = (nint)documents.Layout.Stride(1);
        }

        Q = new HeadRows(args.Q);
        K = new HeadRows(args.K);
        V = new HeadRows(args.V);
        Y = new HeadRows(args.Y);
        LogSumExp = args.LogSumExp.Address;
        Scale = args.Scale;
    }

    /// <summary>Query heads that share a key head.</summary>
    public int Group => Heads / KeyHeads;

    /// <summary>Position of query 0 among the keys: the last query sees the last key.</summary>
    public int Shift => Causal ? Keys - Time : 0;

    public KeyBlocks KeysOf(int firstQuery, int lastQuery, int blockKeys) =>
        new(firstQuery + Shift, lastQuery + Shift, Keys, Causal, Window, Sinks, blockKeys);

    /// <summary>The visible part of keys [firstKey, firstKey + keys) × queries [firstQuery, firstQuery + queries).</summary>
    public BlockMask Mask(int firstKey, int keys, int window, int firstQuery, int queries) =>
        new(keys, queries, 1, firstKey - firstQuery - Shift, Causal, window);

    /// <summary>False where no document of the keys can be one of the queries'. Ranges are compared, so packed documents are skipped block by block.</summary>
    public bool DocumentsMeet(int batch, int firstKey, int keys, int firstQuery, int queries, out bool mixed)
    {
        mixed = false;
        if (Documents is null)
        {
            return true;
        }

        Range(batch, firstKey, keys, out int keyLow, out int keyHigh);
        Range(batch, firstQuery, queries, out int low, out int high);
        mixed = keyLow != keyHigh || low != high || low != keyLow;
        return keyLow <= high && low <= keyHigh;
    }

    public int* DocumentsAt(int batch, int time) => Documents + batch * DocumentBatch + time * DocumentTime;

    public void* LogSumExpRow<V>(int batch, int head, int time)
        where V : struct, ICpuLane<V>
        => Element.At<V>(LogSumExp, ((nint)batch * Heads + head) * Time + time);

    private void Range(int batch, int first, int count, out int low, out int high)
    {
        int* document = DocumentsAt(batch, first);
        low = high = *document;
        for (int i = 1; i < count; i++)
        {
            document += DocumentTime;
            low = Math.Min(low, *document);
            high = Math.Max(high, *document);
        }
    }
}
