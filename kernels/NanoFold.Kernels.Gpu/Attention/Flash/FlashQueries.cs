using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>The part of a kernel whose rows are queries: which block of which head, the walk over blocks of keys, the mask.</summary>
internal abstract class FlashQueries : FlashKernel
{
    private readonly FlashVisible _visible;
    private readonly FlashRange _range;
    private readonly FlashMask _mask;

    // Position of the warp's first query.
    private readonly Reg _warpPosition;

    protected FlashQueries(in FlashSpec spec)
        : base(spec)
    {
        Pair = W.BlockX();
        Reg heads = Argument(nameof(FlashArguments.Heads));
        Batch = W.Div(Pair, heads);
        Head = W.Rem(Pair, heads);
        KeyHead = W.Div(Head, Argument(nameof(FlashArguments.GroupHeads)));
        _visible = new FlashVisible(W, spec.HasPrefix, Batch);
        Reg blocks = W.New(RegKind.B32);
        W.Emit($"mov.u32 {blocks}, %nctaid.y");

        // The longest rows begin first.
        First = W.Mul(W.Sub(W.Sub(blocks, 1), W.BlockY()), spec.Rows);
        Reg position = W.Add(First, _visible.Shift);
        _warpPosition = W.Add(position, WarpRow);
        _range = new FlashRange(W, _visible, spec.HasPrefix, spec.Documents, position, spec.Rows);
        _mask = new FlashMask(W, _visible, spec.HasPrefix, spec.Documents, _warpPosition, (RowOfLane, ColumnOfLane), spec.RowTiles, spec.Columns);
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
        W.Set(key, _range.Next(W.Const(0)));
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
        Reg next = _range.Next(W.Add(key, Spec.Columns)), other = W.Xor(stage, stageBytes);
        BranchIf(W.Compare("ge", next, _range.End), isLast);
        copies(next, other);
        W.Mark(isLast);
        W.CommitCopies();
        BranchIf(IsAfter(key), hidden);
        step(key, stage);
        W.Mark(hidden);
        W.Set(key, next);
        W.Set(stage, other);
        BranchIf(W.Compare("lt", key, _range.End), loop);
        W.WaitCopies(0);
        W.Barrier();
    }

    /// <summary>See <see cref="FlashMask.Hide"/>.</summary>
    protected void Mask(Reg[] scores, Reg key) => _mask.Hide(scores, key);

    /// <summary>Whether keys from one on are after all that the warp sees.</summary>
    private Reg IsAfter(Reg key)
    {
        Reg last = W.Add(_warpPosition, Spec.WarpRows - 1);
        return Spec.HasPrefix
            ? W.Both(W.Compare("ge", key, _visible.End(last)), W.Compare("ge", key, _visible.SinkEnd(last)))
            : W.Compare("gt", key, last);
    }
}
