using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// The part of a kernel whose rows are keys: which block of which head, the walk over blocks of queries of all heads that share it, in order, the mask, and
/// dv = Σ pᵀ dy and dk = scale · Σ (p ⊙ (dy vᵀ − delta))ᵀ q. Scores are computed key by query. Shared memory: k and v, then two stages of q, dy, log-sum-exps in bits and delta.
/// </summary>
internal abstract class FlashKeys : FlashKernel
{
    private readonly Reg _sharedV, _sharedQ, _sharedDY, _statistics;

    // Of head 0: what does not change from step to step.
    private readonly FlashCopy _copyQ, _copyDY;
    private readonly Fragments _k, _v, _q, _dy, _acrossQ, _acrossDY;
    private readonly FlashKeyMask _mask;
    private readonly Reg _bitScale;
    private readonly Reg[] _dk, _dv;
    private Reg[][][]? _keptK, _keptV;

    /// <param name="spec">Which kernel.</param>
    /// <param name="place">Gives the number of the key head over all batch rows, and of the block of keys.</param>
    protected FlashKeys(in FlashSpec spec, Func<PtxWriter, (Reg Pair, Reg Block)> place)
        : base(spec)
    {
        (Reg pair, Reg block) = place(W);
        Reg keyHeads = Argument(nameof(FlashArguments.KeyHeads));
        Batch = W.Div(pair, keyHeads);
        KeyHead = W.Rem(pair, keyHeads);
        Visible = new FlashVisible(W, spec.HasPrefix, Batch);
        First = W.Mul(block, spec.Rows);
        WarpKey = W.Add(First, WarpRow);
        _mask = new FlashKeyMask(W, Visible, spec.Documents, WarpKey, (RowOfLane, ColumnOfLane), spec.RowTiles, spec.Columns);
        _copyQ = HeadsOf(nameof(FlashArguments.Q));
        _copyDY = HeadsOf(nameof(FlashArguments.DY));
        SharedTile rows = RowTile, columns = ColumnTile;
        _sharedV = W.Add(Shared, rows.Bytes);
        _sharedQ = W.Add(_sharedV, rows.Bytes);
        _sharedDY = W.Add(_sharedQ, columns.Bytes);
        _statistics = W.Add(_sharedDY, columns.Bytes);
        CopyOf(rows, nameof(FlashArguments.K), Batch, KeyHead).Copy(Shared, First, Visible.Keys);
        CopyOf(rows, nameof(FlashArguments.V), Batch, KeyHead).Copy(_sharedV, First, Visible.Keys);
        _k = RowFragments(Shared);
        _v = _k.Further(rows.Bytes);
        _q = ColumnFragments(_sharedQ);
        _dy = _q.Further(columns.Bytes);
        _acrossQ = TransposedFragments(_sharedQ);
        _acrossDY = _acrossQ.Further(columns.Bytes);
        _bitScale = FlashArguments.Read(W, RegKind.F32, nameof(FlashArguments.BitScale));
        _dk = Zeros(spec.RowTiles * DepthTiles * 4);
        _dv = Zeros(spec.RowTiles * DepthTiles * 4);
    }

    protected Reg Batch { get; }

    protected Reg KeyHead { get; }

    /// <summary>First key of the block.</summary>
    protected Reg First { get; }

    /// <summary>First key of the warp.</summary>
    protected Reg WarpKey { get; }

    protected FlashVisible Visible { get; }

    /// <summary>Bytes of shared memory.</summary>
    protected static int Bytes(in FlashSpec spec) => (4 * spec.Rows * spec.Depth) + (8 * spec.Columns * spec.Depth) + (16 * spec.Columns);

    private int StatisticsBytes => 4 * Spec.Columns;

    private int StageBytes => (2 * ColumnTile.Bytes) + (2 * StatisticsBytes);

    /// <summary>Runs <paramref name="step"/> for every block of queries of which one may see one of the keys, given the head, the first query and the offset of its stage.</summary>
    protected void Walk(Action<Reg, Reg, Reg> step)
    {
        (Reg start, Reg end) = Visible.Queries(First, Spec.Rows, Spec.Columns, Spec.Documents);
        Reg head = W.New(RegKind.B32), endHead = W.Mul(W.Add(KeyHead, 1), Argument(nameof(FlashArguments.GroupHeads)));
        Reg query = W.New(RegKind.B32), stage = W.New(RegKind.B32);
        W.Set(head, W.Mul(KeyHead, Argument(nameof(FlashArguments.GroupHeads))));
        W.Set(query, start);
        W.Set(stage, 0);
        string loop = W.NewLabel(), isLast = W.NewLabel(), nothing = W.NewLabel(), done = W.NewLabel();
        Reg isNothing = W.Compare("ge", start, end);
        BranchIf(isNothing, nothing);
        Copies(head, query, stage);
        W.Mark(nothing);
        W.CommitCopies();
        BranchIf(isNothing, done);
        if (Spec.Kept > 0)
        {
            W.WaitCopies(0);
            W.Barrier();
            (_keptK, _keptV) = (Keep(_k, 0), Keep(_v, 1));
        }

        W.Mark(loop);
        W.WaitCopies(0);
        W.Barrier();
        Reg following = W.Add(query, Spec.Columns), isHeadDone = W.Compare("ge", following, end);
        Reg nextQuery = W.Select(isHeadDone, start, following), nextHead = W.Add(head, W.Select(isHeadDone, 1, 0));
        Reg other = W.Sub(W.Const(StageBytes), stage);
        BranchIf(W.Compare("ge", nextHead, endHead), isLast);
        Copies(nextHead, nextQuery, other);
        W.Mark(isLast);
        W.CommitCopies();
        step(head, query, stage);
        W.Set(head, nextHead);
        W.Set(query, nextQuery);
        W.Set(stage, other);
        BranchIf(W.Compare("lt", head, endHead), loop);
        W.Mark(done);
        W.WaitCopies(0);
        W.Barrier();
    }

    /// <summary>Whether a block of queries stands before all that see keys of the warp.</summary>
    protected Reg IsHidden(Reg query) => W.Compare("gt", Visible.QueryStart(WarpKey), W.Add(W.Add(query, Spec.Columns - 1), Visible.Shift));

    /// <summary>Adds to dv, and gives the gradients of scaled scores over scale, key by query.</summary>
    protected Reg[] ScoreGradients(Reg query, Reg stage)
    {
        Reg[] weights = Scores(_k, _keptK, _q, stage);
        _mask.Hide(weights, query);
        Reg at = W.Add(W.Add(_statistics, stage), W.Shl(ColumnOfLane, 2));
        for (int n = 0; n < ColumnTiles; n++)
        {
            Reg[] bits = W.LoadShared(RegKind.F32, 2, at, 32 * n);
            ForColumns(n, (i, column) => W.Set(weights[i], Weight(weights[i], _bitScale, W.Negate(bits[column]))));
        }

        AddOutput(_dv, weights, _acrossDY, stage);
        Reg[] gradients = Scores(_v, _keptV, _dy, stage);
        for (int n = 0; n < ColumnTiles; n++)
        {
            Reg[] delta = W.LoadShared(RegKind.F32, 2, at, StatisticsBytes + (32 * n));
            ForColumns(n, (i, column) => W.Set(gradients[i], W.Mul(weights[i], W.Sub(gradients[i], delta[column]))));
        }

        return gradients;
    }

    /// <summary>Adds to dk, given left fragments of <see cref="ScoreGradients"/>, rounded.</summary>
    protected void AddKeyGradients(Func<int, Reg[][]> gradients, Reg stage) => AddOutput(_dk, gradients, _acrossQ, stage);

    /// <summary>Writes dk and dv, each where it is wanted.</summary>
    protected void StoreRows()
    {
        W.LetNextStart();
        StoreRows(_dk, Shared, nameof(FlashArguments.DK), nameof(FlashArguments.AccumulateK), FlashArguments.Read(W, RegKind.F32, nameof(FlashArguments.Scale)), Batch);
        StoreRows(_dv, _sharedV, nameof(FlashArguments.DV), nameof(FlashArguments.AccumulateV), W.Const(1f), null);
    }

    private FlashCopy HeadsOf(string tensor) => new(W, ColumnTile, Thread, FlashTensor.Heads(W, tensor, Batch), FlashTensor.Stride(W, tensor), Depth);

    private void Copies(Reg head, Reg query, Reg stage)
    {
        _copyQ.CopyHead(head, FlashTensor.HeadStride(W, nameof(FlashArguments.Q)), W.Add(_sharedQ, stage), query, Visible.Time);
        _copyDY.CopyHead(head, FlashTensor.HeadStride(W, nameof(FlashArguments.DY)), W.Add(_sharedDY, stage), query, Visible.Time);

        // Four numbers a thread: the first threads copy log-sum-exps, the next as many delta.
        int threads = Spec.Columns / 4;
        Reg isBits = W.Compare("lt", Thread, threads);
        Reg from = W.Select(isBits, FlashArguments.Read(W, RegKind.B64, nameof(FlashArguments.Bits)), FlashArguments.Read(W, RegKind.B64, nameof(FlashArguments.Delta)), RegKind.B64);
        Reg pair = W.Mad(Batch, Argument(nameof(FlashArguments.Heads)), head);
        Reg element = W.Add(W.Mad(pair, Argument(nameof(FlashArguments.RowLength)), query), W.Shl(W.And(Thread, threads - 1), 2));
        Reg target = W.Mad(Thread, 16, W.Add(_statistics, stage)), source = W.MadWide(element, 4, from);
        using (W.When(W.Compare("lt", Thread, 2 * threads)))
        {
            W.CopyAsync(target, 0, source, 0, 16);
        }
    }

    /// <summary>The elements of a tile of columns in a lane's registers, and which of the lane's two columns each is in.</summary>
    private void ForColumns(int tile, Action<int, int> element)
    {
        for (int m = 0; m < Spec.RowTiles; m++)
        {
            for (int i = 0; i < 4; i++)
            {
                element((((m * ColumnTiles) + tile) * 4) + i, i % 2);
            }
        }
    }

    /// <summary>Writes one of the two gradients, where it is wanted.</summary>
    private void StoreRows(Reg[] sums, Reg staging, string tensor, string accumulate, Reg factor, Reg? turned)
    {
        string unwanted = W.NewLabel();
        Reg address = FlashArguments.Read(W, RegKind.B64, tensor);
        Reg isNone = W.New(RegKind.Predicate);
        W.Emit($"setp.eq.s64 {isNone}, {address}, 0");
        BranchIf(isNone, unwanted);
        var factors = new Reg[2 * Spec.RowTiles];
        Array.Fill(factors, factor);
        Store(sums, factors, staging, FlashTensor.Rows(W, tensor, Batch, KeyHead), FlashTensor.Stride(W, tensor), First, Visible.Keys, Argument(accumulate), turned);
        W.Mark(unwanted);
    }
}
