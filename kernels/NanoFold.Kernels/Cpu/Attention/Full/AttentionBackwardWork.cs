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

        KeyGradients sums = plan.Parts == 1 ? scratch.Sums : _gradients.Partial(_problem, batch, valueHead, part);
        KeyBlocks range = _problem.KeysOf(batch, first, first + rows - 1);
        if (plan.Parts == 1)
        {
            sums.Zero<V>(0, _problem.Keys);
        }
        else
        {
            sums.Zero<V>(0, range.SinkEnd);
            sums.Zero<V>(range.Start, range.End);
        }

        for (int keyHead = valueHead * _problem.KeyGroup; keyHead < (valueHead + 1) * _problem.KeyGroup; keyHead++)
        {
            PackKeys<V>(scratch, batch, keyHead, 0, range.SinkEnd);
            PackKeys<V>(scratch, batch, keyHead, range.Start, range.End);
            for (int h = keyHead * _problem.Group; h < (keyHead + 1) * _problem.Group; h++)
            {
                for (int start = first, count; start < first + rows; start += count)
                {
                    count = Math.Min(_queries, _problem.Lists.Together(start, first + rows));
                    QueryBlock<V>(scratch, sums, batch, h, start, count);
                }
            }
        }

        if (plan.Parts == 1)
        {
            _gradients.WriteKeys<V>(_problem, sums, batch, 0, _problem.Keys, valueHead);
        }
    }

    private void PackKeys<V>(in BackwardScratch scratch, int batch, int keyHead, int first, int end)
        where V : struct, ICpuLane<V>
    {
        if (first < end)
        {
            BlockPacking.Rows<V>(
                _problem.K.Row<V>(batch, first, keyHead), _problem.K.Time, end - first, _problem.Depth, scratch.Keys, _problem.Keys, first, 1);
        }
    }

    private void QueryBlock<V>(in BackwardScratch scratch, in KeyGradients sums, int batch, int head, int start, int count)
        where V : struct, ICpuLane<V>
    {
        void* q = _problem.Q.Row<V>(batch, start, head);
        void* dy = _gradients.DY.Row<V>(batch, start, head);
        BlockPacking.Transposed<V>(q, _problem.Q.Time, 0, 1, count, _problem.Depth, scratch.QueryColumns, _problem.Scale * SoftmaxPower.BitsPerNat);
        BlockPacking.Rows<V>(q, _problem.Q.Time, count, _problem.Depth, scratch.QueryRows, _queries, 0, _problem.Scale);
        BlockPacking.Transposed<V>(dy, _gradients.DY.Time, 0, 1, count, _problem.ValueDepth, scratch.OutputColumns, 1);
        BlockPacking.Rows<V>(dy, _gradients.DY.Time, count, _problem.ValueDepth, scratch.OutputRows, _queries, 0, 1);
        HeadRow.Zero<V>(scratch.QuerySums, (nint)count * scratch.DepthRow);
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

        KeyBlocks keys = _problem.KeysOf(batch, head, start, start + count - 1);
        while (keys.Next())
        {
            if (_problem.DocumentsMeet(batch, keys, start, count, out int* keyDocuments, out int* queryDocuments))
            {
                KeyBlock<V>(_problem.Mask(keys, start, count), scratch, sums, (batch, head, start), keys.First, keyDocuments, queryDocuments);
            }
        }

        if (!_gradients.DQ.IsNone)
        {
            double scale;
            Element.Set<V>(&scale, 0, _problem.Scale);
            HeadRow.WriteRows<V>(
                scratch.QuerySums, scratch.DepthRow, _gradients.DQ.Row<V>(batch, start, head), _gradients.DQ.Time, count, _problem.Depth,
                &scale, 0, _gradients.AccumulateQ);
        }
    }

    private void KeyBlock<V>(
        in BlockMask mask, in BackwardScratch scratch, in KeyGradients sums, (int Batch, int Head, int Start) queries, int firstKey, int* keyDocuments, int* queryDocuments)
        where V : struct, ICpuLane<V>
    {
        nint row = scratch.Columns;
        (int batch, int head) = (queries.Batch, queries.Head);
        int keyHead = head / _problem.Group, valueHead = keyHead / _problem.KeyGroup;
        mask.Products<V>(_problem.K.Row<V>(batch, firstKey, keyHead), _problem.K.Time, _problem.Depth, scratch.QueryColumns, scratch.Scores, row);
        mask.Cap<V>(scratch.Scores, row, _problem.Cap * SoftmaxPower.BitsPerNat);
        if (_problem.HasDecay)
        {
            mask.AddDecay<V>(
                scratch.Scores, row, _problem.DecayRow<V>(batch, head, queries.Start + _problem.Shift), 0, _problem.DecayRow<V>(batch, head, firstKey), 0, SoftmaxPower.BitsPerNat);
        }

        mask.Apply<V>(scratch.Scores, row, scratch.Positions);
        if (keyDocuments is not null)
        {
            mask.ApplyDocuments<V>(scratch.Scores, row, keyDocuments, queryDocuments);
        }

        mask.Products<V>(_problem.V.Row<V>(batch, firstKey, valueHead), _problem.V.Time, _problem.ValueDepth, scratch.OutputColumns, scratch.ScoreGradients, row);
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

        if (_gradients.WantsDecay)
        {
            mask.SubtractRowSums<V>(scratch.ScoreGradients, row, sums.Decay<V>(head - (valueHead * _problem.Group * _problem.KeyGroup), firstKey));
        }

        for (int j = 0; j < mask.Keys; j += Tiles.Rows)
        {
            int rows = Math.Min(Tiles.Rows, mask.Keys - j);
            int low = mask.ColumnLow(j), high = mask.ColumnHigh(j + rows - 1);
            if (low >= high)
            {
                continue;
            }

            if (!_gradients.DV.IsNone)
            {
                Tiles.Across<V>(
                    Element.At<V>(scratch.Scores, j * row + low), row, 1, rows, high - low, scratch.OutputRows, _queries, low,
                    scratch.ValueLanes, sums.Value<V>(firstKey + j), sums.ValueRow);
            }

            if (!_gradients.DK.IsNone)
            {
                Tiles.Across<V>(
                    Element.At<V>(scratch.ScoreGradients, j * row + low), row, 1, rows, high - low, scratch.QueryRows, _queries, low,
                    scratch.DepthLanes, sums.Key<V>(keyHead % _problem.KeyGroup, firstKey + j), sums.KeyRow);
            }
        }

        for (int c = 0; c < mask.Columns && !_gradients.DQ.IsNone; c += Tiles.Rows)
        {
            int rows = Math.Min(Tiles.Rows, mask.Columns - c);
            int low = mask.KeyLow(c), high = mask.KeyHigh(c + rows - 1);
            if (low < high)
            {
                Tiles.Across<V>(
                    Element.At<V>(scratch.ScoreGradients, low * row + c), 1, row, rows, high - low, scratch.Keys, _problem.Keys, firstKey + low,
                    scratch.DepthLanes, Element.At<V>(scratch.QuerySums, (nint)c * scratch.DepthRow), scratch.DepthRow);
            }
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
