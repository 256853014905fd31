using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// Backward pass from the saved log-sum-exp (FlashAttention-2, arXiv 2307.08691): P = exp(S − lse), dP = dy vᵀ,
/// dS = P ⊙ (dP − rowsum(dy ⊙ y)), dv += Pᵀ dy, dk += scale · dSᵀ q, dq += scale · dS k. Each score is computed once.
/// </summary>
internal readonly unsafe struct AttentionBackwardWork : ILaneWork
{
    /// <summary>Above any score.</summary>
    private const double Highest = 1e30;

    private readonly CpuContext _context;
    private readonly AttentionProblem _problem;
    private readonly GradientProblem _gradients;
    private readonly int _queries;

    public AttentionBackwardWork(CpuContext context, in AttentionProblem problem, in GradientProblem gradients)
    {
        _context = context;
        _problem = problem;
        _gradients = gradients;
        _queries = BlockSizes.Queries(problem.Time);
    }

    public long Items => (long)_problem.Batch * _problem.ValueHeads * _gradients.Plan.Parts;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        GradientPlan plan = _gradients.Plan;
        long pairs = (long)_problem.Batch * _problem.ValueHeads;
        int batch = (int)(item % pairs / _problem.ValueHeads), valueHead = (int)(item % pairs % _problem.ValueHeads);
        // Late parts see the most keys, so they start first.
        int part = plan.Parts - 1 - (int)(item / pairs);
        int first = part * plan.PartRows;
        int rows = Math.Min(plan.PartRows, _problem.Time - first);

        var lane = LaneSize.Of<V>();
        long bytes = new BackwardScratch(null, _problem, _queries, plan.Parts == 1, lane).Bytes;
        var scratch = new BackwardScratch(_context.Scratch(worker, bytes), _problem, _queries, plan.Parts == 1, lane);
        for (int c = 0; c < scratch.Columns; c++)
        {
            Element.Set<V>(scratch.Positions, c, c);
        }

        KeyBlocks range = _problem.KeysOf(batch, first, first + rows - 1);
        KeyGradients sums = plan.Parts == 1 ? _gradients.InPlace<V>(_problem, scratch.Sums, batch, valueHead) : _gradients.Partial(_problem, batch, valueHead, part);
        sums.ZeroDecay<V>(0, plan.Parts == 1 ? _problem.Keys : range.SinkEnd);
        sums.ZeroDecay<V>(range.Start, plan.Parts == 1 ? 0 : range.End);
        var turn = new BackwardTurn(_problem, _gradients, sums, range, batch);
        for (int keyHead = valueHead * _problem.KeyGroup; keyHead < (valueHead + 1) * _problem.KeyGroup; keyHead++)
        {
            turn.KeyHead = keyHead;
            turn.MetKeys = 0;
            if (IsOneBlock && RowPanels.AreGood<V>(_problem.K.Time, _problem.Depth))
            {
                turn.Keys = RowPanels.InPlace<V>(_problem.K.Row<V>(batch, 0, keyHead), _problem.K.Time, _problem.Depth);
            }
            else
            {
                turn.Keys = RowPanels.Packed<V>(scratch.Keys, _problem.Keys, scratch.DepthLanes);
                PackKeys<V>(scratch, batch, keyHead, 0, range.SinkEnd);
                PackKeys<V>(scratch, batch, keyHead, range.Start, range.End);
            }

            for (int h = keyHead * _problem.Group; h < (keyHead + 1) * _problem.Group; h++)
            {
                for (int start = first, count; start < first + rows; start += count)
                {
                    count = Math.Min(_queries, _problem.Lists.Together(start, first + rows));
                    QueryBlock<V>(scratch, ref turn, h, start, count);
                }
            }

            turn.MeetKeys<V>(_problem.Keys, _problem.Keys);
        }

        turn.MeetValues<V>(_problem.Keys, _problem.Keys);
        if (plan.Parts == 1)
        {
            _gradients.WriteKeys<V>(_problem, sums, batch, 0, _problem.Keys, valueHead);
        }
    }

    /// <summary>Whether all queries meet all keys at once, so that packing a row would cost as much as reading it.</summary>
    private bool IsOneBlock => _problem.Time <= _queries && _problem.Keys <= BlockSizes.Keys;

    private void PackKeys<V>(in BackwardScratch scratch, int batch, int keyHead, int first, int end)
        where V : struct, ICpuLane<V>
    {
        if (first < end)
        {
            BlockPacking.Rows<V>(
                _problem.K.Row<V>(batch, first, keyHead), _problem.K.Time, end - first, _problem.Depth, scratch.Keys, _problem.Keys, first, 1);
        }
    }

    private void QueryBlock<V>(in BackwardScratch scratch, ref BackwardTurn turn, int head, int start, int count)
        where V : struct, ICpuLane<V>
    {
        int batch = turn.Batch;
        void* q = _problem.Q.Row<V>(batch, start, head);
        void* dy = _gradients.DY.Row<V>(batch, start, head);
        BlockPacking.Transposed<V>(q, _problem.Q.Time, 0, 1, count, _problem.Depth, scratch.QueryColumns, _problem.Scale * SoftmaxPower.BitsPerNat);
        BlockPacking.Rows<V>(q, _problem.Q.Time, count, _problem.Depth, scratch.QueryRows, _queries, 0, _problem.Scale);
        BlockPacking.Transposed<V>(dy, _gradients.DY.Time, 0, 1, count, _problem.ValueDepth, scratch.OutputColumns, 1);
        if (IsOneBlock && RowPanels.AreGood<V>(_gradients.DY.Time, _problem.ValueDepth))
        {
            turn.Outputs = RowPanels.InPlace<V>(dy, _gradients.DY.Time, _problem.ValueDepth);
        }
        else
        {
            turn.Outputs = RowPanels.Packed<V>(scratch.OutputRows, _queries, scratch.ValueLanes);
            BlockPacking.Rows<V>(dy, _gradients.DY.Time, count, _problem.ValueDepth, scratch.OutputRows, _queries, 0, 1);
        }

        HeadRow.Zero<V>(scratch.LogSumExp, scratch.Columns);
        HeadRow.AddScaled(V.Constant(SoftmaxPower.BitsPerNat), _problem.LogSumExpRow<V>(batch, head, start), scratch.LogSumExp, count);
        for (int c = 0; c < count; c += V.Width)
        {
            // Of a row that sees nothing: above any score, so that its weights are 0 and not exp(∞ − ∞).
            V logSumExp = V.Load(scratch.LogSumExp, c);
            V.Store(scratch.LogSumExp, c, V.SelectGreater(V.Constant(-Highest), logSumExp, V.Constant(Highest), logSumExp));
        }

        HeadRow.Dots<V>(
            _problem.Y.Row<V>(batch, start, head), _problem.Y.Time, dy, _gradients.DY.Time, count, _problem.ValueDepth, scratch.Delta);

        (turn.Head, turn.Start, turn.HasQuerySums) = (head, start, false);
        KeyBlocks keys = _problem.KeysOf(batch, head, start, start + count - 1);
        while (keys.Next())
        {
            BlockMask mask = _problem.Mask(batch, keys, start, count);
            if (!mask.IsEmpty && _problem.DocumentsMeet(batch, keys, start, count, out int* keyDocuments, out int* queryDocuments))
            {
                KeyBlock<V>(mask, scratch, ref turn, keys.First, keyDocuments, queryDocuments);
            }
        }

        if (!_gradients.DQ.IsNone)
        {
            if (!turn.HasQuerySums)
            {
                HeadRow.Zero<V>(scratch.QuerySums, (nint)count * scratch.DepthRow);
            }

            double scale;
            Element.Set<V>(&scale, 0, _problem.Scale);
            HeadRow.WriteRows<V>(
                scratch.QuerySums, scratch.DepthRow, _gradients.DQ.Row<V>(batch, start, head), _gradients.DQ.Time, count, _problem.Depth,
                &scale, 0, _gradients.AccumulateQ);
        }
    }

    private void KeyBlock<V>(
        in BlockMask mask, in BackwardScratch scratch, ref BackwardTurn turn, int firstKey, int* keyDocuments, int* queryDocuments)
        where V : struct, ICpuLane<V>
    {
        nint row = scratch.Columns;
        int batch = turn.Batch, head = turn.Head, keyHead = turn.KeyHead, valueHead = keyHead / _problem.KeyGroup;
        void* k = _problem.K.Row<V>(batch, firstKey, keyHead), v = _problem.V.Row<V>(batch, firstKey, valueHead);
        if (_problem.HasDecay || _problem.Cap > 0)
        {
            mask.Products<V>(k, _problem.K.Time, _problem.Depth, scratch.QueryColumns, scratch.Scores, row);
            mask.Cap<V>(scratch.Scores, row, _problem.Cap * SoftmaxPower.BitsPerNat);
            if (_problem.HasDecay)
            {
                mask.AddDecay<V>(
                    scratch.Scores, row, _problem.DecayRow<V>(batch, head, turn.Start + _problem.Shift), 0, _problem.DecayRow<V>(batch, head, firstKey), 0, SoftmaxPower.BitsPerNat);
            }

            Hide<V>(mask, scratch, row, keyDocuments, queryDocuments, double.NegativeInfinity);
            mask.Products<V>(v, _problem.V.Time, _problem.ValueDepth, scratch.OutputColumns, scratch.ScoreGradients, row);
            ScoreGradients<V>(mask, scratch, row);
        }
        else
        {
            mask.Products<V, PowerEnd>(k, _problem.K.Time, _problem.Depth, scratch.QueryColumns, scratch.Scores, row, scratch.LogSumExp, default);
            Hide<V>(mask, scratch, row, keyDocuments, queryDocuments, 0);
            mask.Products<V, SlopeEnd>(
                v, _problem.V.Time, _problem.ValueDepth, scratch.OutputColumns, scratch.ScoreGradients, row, scratch.Delta,
                new SlopeEnd((nint)((byte*)scratch.Scores - (byte*)scratch.ScoreGradients)));
            mask.ZeroMargins<V>(scratch.Scores, row);
            mask.ZeroMargins<V>(scratch.ScoreGradients, row);
        }

        if (_gradients.WantsDecay)
        {
            mask.SubtractRowSums<V>(scratch.ScoreGradients, row, turn.Sums.Decay<V>(head - (valueHead * _problem.Group * _problem.KeyGroup), firstKey));
        }

        int end = firstKey + mask.Keys;
        if (!_gradients.DV.IsNone)
        {
            bool isMet = turn.MeetValues<V>(firstKey, end);
            mask.Down<V>(scratch.Scores, row, turn.Outputs, turn.Sums.Value<V>(firstKey), turn.Sums.ValueRow, isMet);
        }

        if (!_gradients.DK.IsNone)
        {
            bool isMet = turn.MeetKeys<V>(firstKey, end);
            mask.Down<V>(
                scratch.ScoreGradients, row, RowPanels.Packed<V>(scratch.QueryRows, _queries, scratch.DepthLanes),
                turn.Sums.Key<V>(keyHead % _problem.KeyGroup, firstKey), turn.Sums.KeyRow, isMet);
        }

        if (!_gradients.DQ.IsNone)
        {
            mask.Across<V, SumEnd>(scratch.ScoreGradients, row, turn.Keys, firstKey, scratch.QuerySums, scratch.DepthRow, turn.HasQuerySums, default);
            turn.HasQuerySums = true;
        }
    }

    private static void Hide<V>(in BlockMask mask, in BackwardScratch scratch, nint row, int* keyDocuments, int* queryDocuments, double value)
        where V : struct, ICpuLane<V>
    {
        mask.Hide<V>(scratch.Scores, row, scratch.Positions, value);
        if (keyDocuments is not null)
        {
            mask.HideDocuments<V>(scratch.Scores, row, keyDocuments, queryDocuments, value);
        }
    }

    /// <summary>Scores that decay or level off become P, the gradients of P those of scores.</summary>
    private void ScoreGradients<V>(in BlockMask mask, in BackwardScratch scratch, nint row)
        where V : struct, ICpuLane<V>
    {
        for (int c = 0; c < mask.Columns; c += V.Width)
        {
            int low = mask.KeyLow(c), high = mask.KeyHigh(Math.Min(c + V.Width, mask.Columns) - 1);
            void* p = Element.At<V>(scratch.Scores, c), ds = Element.At<V>(scratch.ScoreGradients, c);
            if (_problem.Cap > 0)
            {
                CappedGradients(p, ds, row, low, high, V.Load(scratch.LogSumExp, c), V.Load(scratch.Delta, c), V.Constant(_problem.Cap * SoftmaxPower.BitsPerNat));
            }
            else
            {
                ScoreGradients(p, ds, row, low, high, V.Load(scratch.LogSumExp, c), V.Load(scratch.Delta, c));
            }

            mask.ZeroMargin<V>(p, row, low, high);
            mask.ZeroMargin<V>(ds, row, low, high);
        }
    }

    /// <summary>Scores in bits become P = 2^(S − lse), their gradients dS = P · (dP − delta).</summary>
    private static void ScoreGradients<V>(void* scores, void* gradients, nint row, int low, int high, V logSumExp, V delta)
        where V : struct, ICpuLane<V>
    {
        for (nint j = low, i = low * row; j < high; j++, i += row)
        {
            V p = SoftmaxPower.Of(V.Load(scores, i) - logSumExp);
            V.Store(scores, i, p);
            V.Store(gradients, i, p * (V.Load(gradients, i) - delta));
        }
    }

    /// <summary>The same of scores c · tanh(s / c), whose slope is 1 − (score / c)²; a hidden one, −∞, has the weight 0.</summary>
    private static void CappedGradients<V>(void* scores, void* gradients, nint row, int low, int high, V logSumExp, V delta, V cap)
        where V : struct, ICpuLane<V>
    {
        V per = V.Constant(1) / cap;
        for (nint j = low, i = low * row; j < high; j++, i += row)
        {
            V score = V.Load(scores, i), p = SoftmaxPower.Of(score - logSumExp), share = V.Max(score * per, V.Constant(-1));
            V.Store(scores, i, p);
            V.Store(gradients, i, p * (V.Load(gradients, i) - delta) * (V.Constant(1) - share * share));
        }
    }
}
