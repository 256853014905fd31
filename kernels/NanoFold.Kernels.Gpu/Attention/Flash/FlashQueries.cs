using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>The part of a kernel whose rows are queries: which block of which head, the walk over blocks of keys, the mask.</summary>
internal abstract class FlashQueries : FlashKernel
{
    private readonly Reg[] _documents = [];
    private readonly Reg _documentRow, _documentStride, _start;

    protected FlashQueries(in FlashSpec spec)
        : base(spec)
    {
        Pair = W.BlockX();
        Reg heads = Argument(nameof(FlashArguments.Heads));
        Batch = W.Div(Pair, heads);
        Head = W.Rem(Pair, heads);
        KeyHead = W.Div(Head, Argument(nameof(FlashArguments.GroupHeads)));
        Time = Argument(nameof(FlashArguments.Time));
        Keys = Argument(nameof(FlashArguments.Keys));
        Window = Argument(nameof(FlashArguments.Window));
        Sinks = Argument(nameof(FlashArguments.Sinks));
        Reg shift = Argument(nameof(FlashArguments.Shift)), blocks = W.New(RegKind.B32);
        W.Emit($"mov.u32 {blocks}, %nctaid.y");

        // The longest rows begin first.
        First = W.Mul(W.Sub(W.Sub(blocks, 1), W.BlockY()), spec.Rows);
        Position = W.Add(First, shift);
        WarpPosition = W.Add(Position, WarpRow);
        End = W.Min(W.Add(Position, spec.Rows), Keys);
        _start = W.Max(W.Add(W.Sub(Position, Window), 1), 0);
        if (spec.Documents)
        {
            _documentRow = FlashTensor.Rows(W, nameof(FlashArguments.Documents), Batch, Zero);
            _documentStride = FlashTensor.Stride(W, nameof(FlashArguments.Documents));
            _documents = new Reg[2 * spec.RowTiles];
            for (int i = 0; i < _documents.Length; i++)
            {
                _documents[i] = Document(W.Add(W.Add(First, WarpRow), RowOfLane), 8 * i);
            }
        }
    }

    /// <summary>Number of the head over all batch rows.</summary>
    protected Reg Pair { get; }

    protected Reg Batch { get; }

    protected Reg Head { get; }

    protected Reg KeyHead { get; }

    protected Reg Time { get; }

    protected Reg Keys { get; }

    protected Reg Window { get; }

    protected Reg Sinks { get; }

    /// <summary>First query of the block.</summary>
    protected Reg First { get; }

    /// <summary>Its position, and that of the warp's first.</summary>
    protected Reg Position { get; }

    protected Reg WarpPosition { get; }

    /// <summary>One past the last key that the block sees.</summary>
    protected Reg End { get; }

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
        BranchIf(W.Compare("ge", next, End), isLast);
        copies(next, other);
        W.Mark(isLast);
        W.CommitCopies();
        BranchIf(W.Compare("gt", key, W.Add(WarpPosition, Spec.WarpRows - 1)), hidden);
        step(key, stage);
        W.Mark(hidden);
        W.Set(key, next);
        W.Set(stage, other);
        BranchIf(W.Compare("lt", key, End), loop);
        W.WaitCopies(0);
        W.Barrier();
    }

    /// <summary>Scores of hidden keys become −∞. Costs nothing where the warp sees the whole block.</summary>
    protected void Mask(Reg[] scores, Reg key)
    {
        string done = W.NewLabel();
        if (!Spec.Documents)
        {
            Reg last = W.Add(key, Spec.Columns - 1);
            Reg isWhole = W.Compare("le", last, W.Min(WarpPosition, W.Sub(Keys, 1)));
            Reg isInWindow = W.Compare("gt", key, W.Sub(W.Add(WarpPosition, Spec.WarpRows - 1), Window));
            BranchIf(W.Both(isWhole, W.Either(isInWindow, W.Compare("lt", last, Sinks))), done);
        }

        Reg column = W.Add(key, ColumnOfLane), sinks = W.Sub(Sinks, column);
        Reg[] documents = new Reg[Spec.Documents ? 2 * ColumnTiles : 0];
        for (int i = 0; i < documents.Length; i++)
        {
            documents[i] = Document(column, (i / 2 * 8) + (i % 2));
        }

        for (int row = 0; row < 2 * Spec.RowTiles; row++)
        {
            Reg position = W.Add(W.Add(WarpPosition, RowOfLane), 8 * row);
            Reg high = W.Sub(W.Min(position, W.Sub(Keys, 1)), column), low = W.Sub(W.Sub(position, Window), column);
            for (int i = 0; i < 2 * ColumnTiles; i++)
            {
                int offset = (i / 2 * 8) + (i % 2);
                Reg isSeen = W.Either(W.Compare("lt", low, offset), W.Compare("gt", sinks, offset));
                isSeen = W.Both(isSeen, W.Compare("ge", high, offset));
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

    /// <summary>The first key from one on whose block some query sees: between sinks and window nothing is.</summary>
    private Reg Next(Reg key)
    {
        Reg isBetween = W.Both(W.Compare("ge", key, Sinks), W.Compare("lt", key, _start));
        return W.Select(isBetween, _start, key);
    }

    private Reg Document(Reg time, int offset)
    {
        Reg inside = W.Min(W.Add(time, offset), W.Sub(Time, 1));
        return W.LoadGlobal(RegKind.B32, W.MadWide(inside, _documentStride, _documentRow));
    }
}
