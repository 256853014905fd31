using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// dv = Σ pᵀ dy and dk = scale · Σ (p ⊙ (dy vᵀ − delta))ᵀ q of a block of keys, over the queries of all heads that share it, in order. Scores are computed
/// key by query. Grid: batch · key head, block of keys. Shared memory: k and v, then two stages of q, dy, log-sum-exps in bits and delta.
/// </summary>
internal sealed class FlashKeyGradient : FlashKernel
{
    private readonly Reg _batch, _keyHead, _first, _warpKey;
    private readonly FlashVisible _visible;

    // Of head 0: what does not change from step to step.
    private readonly FlashCopy _copyQ, _copyDY;

    private FlashKeyGradient(in FlashSpec spec)
        : base(spec)
    {
        Reg pair = W.BlockX(), keyHeads = Argument(nameof(FlashArguments.KeyHeads));
        _batch = W.Div(pair, keyHeads);
        _keyHead = W.Rem(pair, keyHeads);
        _visible = new FlashVisible(W, spec, _batch);
        _first = W.Mul(W.BlockY(), spec.Rows);
        _warpKey = W.Add(_first, WarpRow);
        _copyQ = HeadsOf(nameof(FlashArguments.Q));
        _copyDY = HeadsOf(nameof(FlashArguments.DY));
    }

    public static PtxProgram Write(in FlashSpec spec) => new FlashKeyGradient(spec).Write();

    private PtxProgram Write()
    {
        SharedTile rows = RowTile, columns = ColumnTile;
        int statisticsBytes = 4 * Spec.Columns, stageBytes = 2 * columns.Bytes + 2 * statisticsBytes;
        Reg sharedV = W.Add(Shared, rows.Bytes), sharedQ = W.Add(sharedV, rows.Bytes), sharedDY = W.Add(sharedQ, columns.Bytes);
        Reg statistics = W.Add(sharedDY, columns.Bytes);
        CopyOf(rows, nameof(FlashArguments.K), _batch, _keyHead).Copy(Shared, _first, _visible.Keys);
        CopyOf(rows, nameof(FlashArguments.V), _batch, _keyHead).Copy(sharedV, _first, _visible.Keys);
        Fragments k = RowFragments(Shared), v = k.Further(rows.Bytes), q = ColumnFragments(sharedQ), dy = q.Further(columns.Bytes);
        Fragments acrossQ = TransposedFragments(sharedQ), acrossDY = acrossQ.Further(columns.Bytes);
        Reg bitScale = FlashArguments.Read(W, RegKind.F32, nameof(FlashArguments.BitScale));
        Reg[] dk = Zeros(Spec.RowTiles * DepthTiles * 4), dv = Zeros(Spec.RowTiles * DepthTiles * 4);

        // Queries that see one of the keys, in whole blocks.
        Reg lastKey = W.Add(_first, Spec.Rows - 1), shift = _visible.Shift;
        Reg start = W.Sub(_visible.QueryStart(_first), shift), end = W.Min(W.Sub(W.Select(_visible.AreSinks(_first), VisibleRule.Far, _visible.QueryEnd(lastKey)), shift), _visible.Time);
        if (Spec.Documents)
        {
            start = W.Max(start, W.Sub(_visible.Low(_first), shift));
            end = W.Min(end, W.Sub(_visible.High(lastKey), shift));
        }

        start = W.And(W.Max(start, 0), -Spec.Columns);
        Reg head = W.New(RegKind.B32), endHead = W.Mul(W.Add(_keyHead, 1), Argument(nameof(FlashArguments.GroupHeads)));
        Reg query = W.New(RegKind.B32), stage = W.New(RegKind.B32);
        W.Set(head, W.Mul(_keyHead, Argument(nameof(FlashArguments.GroupHeads))));
        W.Set(query, start);
        W.Set(stage, 0);
        string loop = W.NewLabel(), isLast = W.NewLabel(), hidden = W.NewLabel(), nothing = W.NewLabel(), done = W.NewLabel();
        Reg isNothing = W.Compare("ge", start, end);
        BranchIf(isNothing, nothing);
        Copies(head, query, stage, sharedQ, sharedDY, statistics);
        W.Mark(nothing);
        W.CommitCopies();
        W.WaitCopies(0);
        W.Barrier();
        BranchIf(isNothing, done);
        Reg[][][]? keptK = Keep(k, 0), keptV = Keep(v, 1);
        W.Mark(loop);
        W.WaitCopies(0);
        W.Barrier();
        Reg following = W.Add(query, Spec.Columns), isHeadDone = W.Compare("ge", following, end);
        Reg nextQuery = W.Select(isHeadDone, start, following), nextHead = W.Add(head, W.Select(isHeadDone, 1, 0));
        Reg other = W.Sub(W.Const(stageBytes), stage);
        BranchIf(W.Compare("ge", nextHead, endHead), isLast);
        Copies(nextHead, nextQuery, other, sharedQ, sharedDY, statistics);
        W.Mark(isLast);
        W.CommitCopies();
        BranchIf(W.Compare("gt", _visible.QueryStart(_warpKey), W.Add(W.Add(query, Spec.Columns - 1), shift)), hidden);
        Step();
        W.Mark(hidden);
        W.Set(head, nextHead);
        W.Set(query, nextQuery);
        W.Set(stage, other);
        BranchIf(W.Compare("lt", head, endHead), loop);
        W.WaitCopies(0);
        W.Barrier();
        W.Mark(done);
        StoreRows(dk, Shared, nameof(FlashArguments.DK), nameof(FlashArguments.AccumulateK), FlashArguments.Read(W, RegKind.F32, nameof(FlashArguments.Scale)));
        StoreRows(dv, sharedV, nameof(FlashArguments.DV), nameof(FlashArguments.AccumulateV), W.Const(1f));
        return W.Finish(2 * rows.Bytes + 2 * stageBytes);

        void Step()
        {
            Reg[] weights = Scores(k, keptK, q, stage);
            Mask(weights, query);
            Reg at = W.Add(W.Add(statistics, stage), W.Shl(ColumnOfLane, 2));
            for (int n = 0; n < ColumnTiles; n++)
            {
                Reg[] bits = W.LoadShared(RegKind.F32, 2, at, 32 * n);
                ForColumns(n, (i, column) => W.Set(weights[i], Weight(weights[i], bitScale, W.Negate(bits[column]))));
            }

            AddOutput(dv, weights, acrossDY, stage);
            Reg[] gradients = Scores(v, keptV, dy, stage);
            for (int n = 0; n < ColumnTiles; n++)
            {
                Reg[] delta = W.LoadShared(RegKind.F32, 2, at, statisticsBytes + (32 * n));
                ForColumns(n, (i, column) => W.Set(gradients[i], W.Mul(weights[i], W.Sub(gradients[i], delta[column]))));
            }

            AddOutput(dk, gradients, acrossQ, stage);
        }
    }

    private FlashCopy HeadsOf(string tensor) => new(W, ColumnTile, Thread, FlashTensor.Heads(W, tensor, _batch), FlashTensor.Stride(W, tensor), Depth);

    private void Copies(Reg head, Reg query, Reg stage, Reg sharedQ, Reg sharedDY, Reg statistics)
    {
        _copyQ.CopyHead(head, FlashTensor.HeadStride(W, nameof(FlashArguments.Q)), W.Add(sharedQ, stage), query, _visible.Time);
        _copyDY.CopyHead(head, FlashTensor.HeadStride(W, nameof(FlashArguments.DY)), W.Add(sharedDY, stage), query, _visible.Time);

        // Four numbers a thread: the first threads copy log-sum-exps, the next as many delta.
        int threads = Spec.Columns / 4;
        Reg isBits = W.Compare("lt", Thread, threads);
        Reg from = W.Select(isBits, FlashArguments.Read(W, RegKind.B64, nameof(FlashArguments.Bits)), FlashArguments.Read(W, RegKind.B64, nameof(FlashArguments.Delta)), RegKind.B64);
        Reg pair = W.Mad(_batch, Argument(nameof(FlashArguments.Heads)), head);
        Reg element = W.Add(W.Mad(pair, Argument(nameof(FlashArguments.RowLength)), query), W.Shl(W.And(Thread, threads - 1), 2));
        Reg target = W.Mad(Thread, 16, W.Add(statistics, stage)), source = W.MadWide(element, 4, from);
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

    /// <summary>Scores of keys that a query does not see become −∞. Costs nothing where all queries of the block see all of the warp's keys.</summary>
    private void Mask(Reg[] scores, Reg query)
    {
        string done = W.NewLabel();
        if (!Spec.Documents)
        {
            Reg position = W.Add(query, _visible.Shift), lastKey = W.Add(_warpKey, Spec.WarpRows - 1);
            Reg isInOrder = W.Compare("le", _visible.QueryStart(lastKey), position);

            // Of keys that are no sinks the first one is seen the least far.
            Reg isInWindow = W.Compare("ge", _warpKey, _visible.Start(W.Add(position, Spec.Columns - 1)));
            BranchIf(W.Both(isInOrder, W.Either(isInWindow, _visible.AreSinks(lastKey))), done);
        }

        Reg column = W.Add(query, ColumnOfLane);
        var documents = new Reg[Spec.Documents ? 2 * ColumnTiles : 0];
        Reg columnPosition = W.Add(column, _visible.Shift);
        for (int i = 0; i < documents.Length; i++)
        {
            documents[i] = _visible.Document(columnPosition, (i / 2 * 8) + (i % 2));
        }

        for (int row = 0; row < 2 * Spec.RowTiles; row++)
        {
            Reg key = W.Add(W.Add(_warpKey, RowOfLane), 8 * row);
            Reg start = W.Sub(_visible.QueryStart(key), columnPosition), end = W.Sub(_visible.QueryEnd(key), columnPosition);
            Reg document = Spec.Documents ? _visible.Document(key, 0) : Zero;
            for (int i = 0; i < 2 * ColumnTiles; i++)
            {
                int offset = (i / 2 * 8) + (i % 2);
                Reg isSeen = W.Both(W.Compare("le", start, offset), W.Compare("gt", end, offset));
                if (Spec.Documents)
                {
                    isSeen = W.Both(isSeen, W.Compare("eq", documents[i], document));
                }

                Reg score = scores[((row / 2 * ColumnTiles) + (i / 2)) * 4 + (row % 2 * 2) + (i % 2)];
                W.Set(score, W.Select(isSeen, score, float.NegativeInfinity, RegKind.F32));
            }
        }

        W.Mark(done);
    }

    /// <summary>Writes one of the two gradients, where it is wanted.</summary>
    private void StoreRows(Reg[] sums, Reg staging, string tensor, string accumulate, Reg factor)
    {
        string unwanted = W.NewLabel();
        Reg address = FlashArguments.Read(W, RegKind.B64, tensor);
        Reg isNone = W.New(RegKind.Predicate);
        W.Emit($"setp.eq.s64 {isNone}, {address}, 0");
        BranchIf(isNone, unwanted);
        var factors = new Reg[2 * Spec.RowTiles];
        Array.Fill(factors, factor);
        Store(sums, factors, staging, FlashTensor.Rows(W, tensor, _batch, _keyHead), FlashTensor.Stride(W, tensor), _first, _visible.Keys, Argument(accumulate));
        W.Mark(unwanted);
    }
}
