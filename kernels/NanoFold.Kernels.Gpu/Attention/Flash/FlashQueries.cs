using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>The part of a kernel whose rows are queries: which block of which head, the walk over blocks of keys, the mask.</summary>
internal abstract class FlashQueries : FlashKernel
{
    private readonly Reg[] _documents = [];
    private readonly FlashVisible _visible;
    private readonly Reg _sinkEnd, _start;
    private readonly Reg? _low;

    // Position of the block's first query and of the warp's, and one after the last key that the block sees.
    private readonly Reg _position, _warpPosition, _end;

    protected FlashQueries(in FlashSpec spec)
        : base(spec)
    {
        Pair = W.BlockX();
        Reg heads = Argument(nameof(FlashArguments.Heads));
        Batch = W.Div(Pair, heads);
        Head = W.Rem(Pair, heads);
        KeyHead = W.Div(Head, Argument(nameof(FlashArguments.GroupHeads)));
        _visible = new FlashVisible(W, spec, Batch);
        Reg blocks = W.New(RegKind.B32);
        W.Emit($"mov.u32 {blocks}, %nctaid.y");

        // The longest rows begin first.
        First = W.Mul(W.Sub(W.Sub(blocks, 1), W.BlockY()), spec.Rows);
        _position = W.Add(First, _visible.Shift);
        _warpPosition = W.Add(_position, WarpRow);
        Reg last = W.Add(_position, spec.Rows - 1);
        _end = _visible.End(last);
        _sinkEnd = _visible.SinkEnd(last);
        _start = W.Max(_visible.Start(_position), 0);
        if (spec.HasPrefix)
        {
            // A window of keys ahead may end before the sinks do.
            _end = W.Max(_end, W.Min(_sinkEnd, Keys));
        }

        if (spec.Documents)
        {
            Reg low = _visible.Low(_position);
            _low = low;
            _end = W.Min(_end, _visible.High(last));
            _documents = new Reg[2 * spec.RowTiles];
            for (int i = 0; i < _documents.Length; i++)
            {
                _documents[i] = _visible.Document(W.Add(_warpPosition, RowOfLane), 8 * i);
            }
        }
    }

    /// <summary>Number of the head over all batch rows.</summary>
    protected Reg Pair { get; }

    protected Reg Batch { get; }

    protected Reg Head { get; }

    protected Reg KeyHead { get; }

    protected Reg Time => _visible.Time;

    protected Reg Keys => _visible.Keys;

    /// <summary>First query of the block.</summary>
    protected Reg First { get; }

    /// <summary>Runs <paramref name="step"/> for every block of keys that the block sees, given the first key and the offset of its stage.</summary>
    /// <param name="copies">Begins the copies of keys from a position on into a stage.</param>
    /// <param name="begin">Runs once, when what was copied before and with the first step is there.</param>
    /// <param name="step">Computes.</param>
    /// <param name="stageBytes">Of a stage.</param>
    protected void Walk(Action<Reg, Reg> copies, Action begin, Action<Reg, Reg> step, int stageBytes)
    {
        Reg key = W.New(RegKind.B32), stage = W.New(RegKind.B32);
        W.Set(key, Next(W.Const(0)));
        W.Set(stage, 0);
        copies(key, stage);
        W.CommitCopies();
        W.WaitCopies(0);
        W.Barrier();
        begin();
        string loop = W.NewLabel(), isLast = W.NewLabel(), hidden = W.NewLabel();
        W.Mark(loop);
        W.WaitCopies(0);
        W.Barrier();
        Reg next = Next(W.Add(key, Spec.Columns)), other = W.Xor(stage, stageBytes);
        BranchIf(W.Compare("ge", next, _end), isLast);
        copies(next, other);
        W.Mark(isLast);
        W.CommitCopies();
        BranchIf(IsAfter(key), hidden);
        step(key, stage);
        W.Mark(hidden);
        W.Set(key, next);
        W.Set(stage, other);
        BranchIf(W.Compare("lt", key, _end), loop);
        W.WaitCopies(0);
        W.Barrier();
    }

    /// <summary>Scores of hidden keys become −∞. Costs nothing where the warp sees the whole block.</summary>
    protected void Mask(Reg[] scores, Reg key)
    {
        string done = W.NewLabel();
        if (!Spec.Documents)
        {
            // The first row sees the least far ahead, the last one the least far back.
            Reg last = W.Add(key, Spec.Columns - 1);
            Reg isInOrder = W.Compare("lt", last, _visible.End(_warpPosition));
            Reg isInWindow = W.Compare("ge", key, _visible.Start(W.Add(_warpPosition, Spec.WarpRows - 1)));
            Reg areSinks = Spec.HasPrefix ? W.Compare("lt", last, _visible.SinkEnd(_warpPosition)) : W.Both(isInOrder, _visible.AreSinks(last));
            BranchIf(W.Either(W.Both(isInOrder, isInWindow), areSinks), done);
        }

        Reg column = W.Add(key, ColumnOfLane);
        Reg[] documents = new Reg[Spec.Documents ? 2 * ColumnTiles : 0];
        for (int i = 0; i < documents.Length; i++)
        {
            documents[i] = _visible.Document(column, (i / 2 * 8) + (i % 2));
        }

        for (int row = 0; row < 2 * Spec.RowTiles; row++)
        {
            Reg position = W.Add(W.Add(_warpPosition, RowOfLane), 8 * row);
            Reg start = W.Sub(_visible.Start(position), column), end = W.Sub(_visible.End(position), column), sinkEnd = W.Sub(_visible.SinkEnd(position), column);
            for (int i = 0; i < 2 * ColumnTiles; i++)
            {
                int offset = (i / 2 * 8) + (i % 2);
                Reg isSeen = W.Both(W.Compare("le", start, offset), W.Compare("gt", end, offset));
                isSeen = W.Either(isSeen, W.Compare("gt", sinkEnd, offset));
                if (Spec.Documents)
                {
                    isSeen = W.Both(isSeen, W.Compare("eq", documents[i], _documents[row]));
                }

                Reg score = scores[((row / 2 * ColumnTiles) + (i / 2)) * 4 + (row % 2 * 2) + (i % 2)];
                W.Set(score, W.Select(isSeen, score, float.NegativeInfinity, RegKind.F32));
            }
        }

        W.Mark(done);
    }

    /// <summary>Whether keys from one on are after all that the warp sees.</summary>
    private Reg IsAfter(Reg key)
    {
        Reg last = W.Add(_warpPosition, Spec.WarpRows - 1);
        return Spec.HasPrefix
            ? W.Both(W.Compare("ge", key, _visible.End(last)), W.Compare("ge", key, _visible.SinkEnd(last)))
            : W.Compare("gt", key, last);
    }

    /// <summary>The first key from one on whose block some query sees: between sinks and window nothing is, nor before the documents.</summary>
    private Reg Next(Reg key)
    {
        if (_low is { } low)
        {
            key = W.Max(key, low);
        }

        Reg isBetween = W.Both(W.Compare("ge", key, _sinkEnd), W.Compare("lt", key, _start));
        return W.Select(isBetween, _start, key);
    }
}
