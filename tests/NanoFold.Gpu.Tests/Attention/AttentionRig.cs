using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>The tensors of one attention problem on one backend, and what its kernels make of them.</summary>
internal sealed class AttentionRig : IDisposable
{
    /// <summary>Elements of a shared row that belong to nobody.</summary>
    private const int Margin = 8;

    private readonly AttentionCase _case;
    private readonly Backend _backend;
    private readonly Memory _memory;
    private readonly DType _type;
    private readonly View _inputs, _gradients, _documents, _prefixes, _decay, _sinkLogits, _dDecay, _dSinkLogits;
    private readonly BlockTable _blocks;
    private readonly float[] _before;

    public AttentionRig(Backend backend, AttentionCase problem, DType type)
    {
        AttentionCase c = _case = problem;
        _type = type;
        _backend = backend;
        _memory = new Memory(backend);
        int queries = c.Heads * c.Depth, keys = c.KeyHeads * c.Depth, values = c.ValueHeadCount * c.ValueSize;
        if (c.Strided)
        {
            int width = queries + keys + values + Margin;
            _inputs = _memory.New(type, [c.Batch, c.Time, width], Rounded(1, c.Batch * c.Time * width));
            _before = Rounded(2, c.Batch * c.Time * width);
            _gradients = _memory.New(type, [c.Batch, c.Time, width], _before);
            (Q, DQ) = (Part(_inputs, 0, c.Heads, c.Depth), Part(_gradients, 0, c.Heads, c.Depth));
            (K, DK) = (Part(_inputs, queries, c.KeyHeads, c.Depth), Part(_gradients, queries, c.KeyHeads, c.Depth));
            (V, DV) = (Part(_inputs, queries + keys, c.ValueHeadCount, c.ValueSize), Part(_gradients, queries + keys, c.ValueHeadCount, c.ValueSize));
        }
        else
        {
            _before = [];
            (Q, DQ) = (New(3, c.Time, c.Heads, c.Depth), New(4, c.Time, c.Heads, c.Depth));
            (K, DK) = (New(5, c.KeyCount, c.KeyHeads, c.Depth), New(6, c.KeyCount, c.KeyHeads, c.Depth));
            (V, DV) = (New(7, c.KeyCount, c.ValueHeadCount, c.ValueSize), New(8, c.KeyCount, c.ValueHeadCount, c.ValueSize));
        }

        Y = New(9, c.Time, c.Heads, c.ValueSize);
        DY = New(10, c.Time, c.Heads, c.ValueSize);
        LogSumExp = _memory.New(DType.Float32, c.Batch, c.Heads, c.Time);
        if (c.HasTerms)
        {
            int count = c.Batch * c.Heads * c.KeyCount;
            _decay = _memory.New(DType.Float32, [c.Batch, c.Heads, c.KeyCount], [.. Enumerable.Range(0, count).Select(i => -0.125f * (i % c.KeyCount) * (1 + (i / c.KeyCount % c.Heads)))]);
            _dDecay = _memory.New(DType.Float32, [c.Batch, c.Heads, c.KeyCount], Rounded(11, count));
            _sinkLogits = _memory.New(type, [c.Heads], Rounded(12, c.Heads));
            _dSinkLogits = _memory.New(DType.Float32, [c.Heads], Rounded(13, c.Heads));
        }

        if (c.DocumentLength > 0)
        {
            int Document(int i) => c.Interleaved ? i * 7 % 3 : i / c.DocumentLength;
            _documents = _memory.Integers([c.Batch, c.KeyCount], [.. Enumerable.Range(0, c.Batch * c.KeyCount).Select(i => Document(i % c.KeyCount))]);
        }

        if (c.Kind == VisibleKind.Prefix)
        {
            _prefixes = _memory.Integers([c.Batch], [.. Enumerable.Range(0, c.Batch).Select(b => c.Prefix - b)]);
        }

        if (c.QuerySize > 0)
        {
            // Every other block from one that depends on the head, and none in the first list.
            int rows = (c.Time + c.QuerySize - 1) / c.QuerySize, blocks = (c.KeyCount + c.KeySize - 1) / c.KeySize, most = (blocks + 2) / 2;
            int[] counts = [.. Enumerable.Range(0, c.Batch * c.Heads * rows).Select(i => i == 0 ? 0 : (blocks - (i % 2) + 1) / 2)];
            int[] lists = [.. counts.SelectMany((n, i) => Enumerable.Range(0, most).Select(j => j < n ? (i % 2) + (2 * j) : -4))];
            _blocks = new BlockTable
            {
                Lists = _memory.Integers([c.Batch * c.Heads, rows, most], lists),
                Counts = _memory.Integers([c.Batch * c.Heads, rows], counts),
                QuerySize = c.QuerySize,
                KeySize = c.KeySize,
            };
        }
    }

    public View Q { get; }

    public View K { get; }

    public View V { get; }

    public View Y { get; }

    public View LogSumExp { get; }

    public View DY { get; }

    public View DQ { get; }

    public View DK { get; }

    public View DV { get; }

    public AttentionArgs Args => new()
    {
        Q = Q,
        K = K,
        V = V,
        Y = Y,
        LogSumExp = LogSumExp,
        Scale = _case.Scale,
        Visible = new Visible { Kind = _case.Kind, Window = _case.Window, Sinks = _case.Sinks, Prefixes = _prefixes, Documents = _documents, Blocks = _blocks },
        Decay = _decay,
        SinkLogits = _sinkLogits,
    };

    public AttentionGradients Gradients(long scratchBytes) => new()
    {
        DY = DY,
        DQ = DQ,
        DK = DK,
        DV = DV,
        AccumulateQ = _case.Accumulates,
        AccumulateK = _case.Accumulates,
        AccumulateV = _case.Accumulates,
        DDecay = _dDecay,
        AccumulateDecay = _case.Accumulates,
        DSinkLogits = _dSinkLogits,
        AccumulateSinkLogits = _case.Accumulates,
        Scratch = scratchBytes == 0 ? default : _memory.New(DType.Float32, (int)(scratchBytes / sizeof(float))),
    };

    /// <summary>Forward and backward pass: y, log-sum-exp, dq, dk, dv.</summary>
    public float[][] Run()
    {
        _backend.Run(new AttentionCall(Args));
        _backend.Run(new AttentionBackwardCall(Args, Gradients(_backend.ScratchBytes(new AttentionBackwardCall(Args, Gradients(0))))));
        return Results();
    }

    /// <summary>As above with the keys kept.</summary>
    public float[][] Run(int keep)
    {
        View kept = _memory.New(DType.Int32, _case.Batch, _case.Heads, _case.Time, keep);
        var lists = new KeptKeys(kept, 1, default, default);
        _backend.Run(new SelectKeysCall { Q = Q, K = K, Kept = kept, Scale = _case.Scale, Visible = Args.Visible, KeySize = 1 });
        _backend.Run(new KeyListAttentionCall(Args, lists));
        _backend.Run(new KeyListAttentionBackwardCall(Args, lists, Gradients(_backend.ScratchBytes(new KeyListAttentionBackwardCall(Args, lists, Gradients(0))))));
        return [.. Results(), _memory.Read(kept)];
    }

    /// <summary>What lies beside strided gradients is as it was.</summary>
    public void AssertMargins()
    {
        if (!_case.Strided)
        {
            return;
        }

        float[] after = _memory.Read(_gradients);
        int width = _gradients.Layout[2];
        for (int i = 0; i < after.Length; i++)
        {
            if (i % width >= width - Margin)
            {
                Assert.That(after[i], Is.EqualTo(_before[i]), $"element {i} beside the gradients");
            }
        }
    }

    public void Dispose() => _memory.Dispose();

    private static View Part(in View rows, int start, int heads, int depth)
    {
        Layout layout = rows.Layout.Slice(2, start, heads * depth, out long offset).SplitLast(heads);
        return rows.With(layout, offset);
    }

    public float[][] Results() =>
        [Read(Y), _memory.Read(LogSumExp), Read(DQ), Read(DK), Read(DV), .. _case.HasTerms ? new[] { _memory.Read(_dDecay), _memory.Read(_dSinkLogits) } : []];

    private float[] Read(in View view)
    {
        if (view.Layout.IsContiguous)
        {
            return _memory.Read(view);
        }

        // A part of the gradients' rows.
        float[] all = _memory.Read(_gradients);
        var values = new float[view.Count];
        Layout layout = view.Layout;
        for (int i = 0; i < values.Length; i++)
        {
            int row = i / layout[3], time = row / layout[2];
            values[i] = all[view.Offset + time * layout.Stride(1) + row % layout[2] * layout.Stride(2) + i % layout[3]];
        }

        return values;
    }

    private View New(int seed, int time, int heads, int depth) =>
        _memory.New(_type, [_case.Batch, time, heads, depth], Rounded(seed, _case.Batch * time * heads * depth));

    /// <summary>Numbers that every type holds exactly.</summary>
    private static float[] Rounded(int seed, int count)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = MathF.Round((float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 64) / 32;
        }

        return values;
    }
}
