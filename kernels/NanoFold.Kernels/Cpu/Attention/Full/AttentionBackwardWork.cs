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
    private readonly CpuContext _context;
    private readonly AttentionProblem _problem;
    private readonly GradientProblem _gradients;
    private readonly int _queries;
    private readonly long _scratchBytes;

    public AttentionBackwardWork(CpuContext context, in AttentionProblem problem, in GradientProblem gradients)
    {
        _context = context;
        _problem = problem;
        _gradients = gradients;
        _queries = BlockSizes.Queries(problem.Time);
        _scratchBytes = new BackwardScratch(null, problem, _queries, gradients.Plan.Parts == 1, LaneSize.Widest(problem.Type)).Bytes;
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

        var scratch = new BackwardScratch(_context.Scratch(worker, _scratchBytes), _problem, _queries, plan.Parts == 1, LaneSize.Of<V>());
        Element.Count<V>(scratch.Positions, scratch.Columns);
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
        (turn.Head, turn.Start, turn.HasQuerySums) = (head, start, false);
        scratch.TakeQueries<V>(_problem, batch, head, start, count);
        void* dy = _gradients.DY.Row<V>(batch, start, head);
        scratch.TakeOutputs<V>(_problem, dy, _gradients.DY.Time, batch, head, start, count);
        if (IsOneBlock && RowPanels.AreGood<V>(_gradients.DY.Time, _problem.ValueDepth))
        {
            turn.Outputs = RowPanels.InPlace<V>(dy, _gradients.DY.Time, _problem.ValueDepth);
        }
        else
        {
            turn.Outputs = RowPanels.Packed<V>(scratch.OutputRows, _queries, scratch.ValueLanes);
            BlockPacking.Rows<V>(dy, _gradients.DY.Time, count, _problem.ValueDepth, scratch.OutputRows, _queries, 0, 1);
        }

        var block = new BackwardBlock(_problem, _gradients, scratch);
        void* dq = _gradients.DQ.IsNone ? null : _gradients.DQ.Row<V>(batch, start, head);
        bool isWhole = dq is not null && !_gradients.AccumulateQ && _problem.Depth % V.Width == 0, isWritten = false;
        KeyBlocks keys = _problem.KeysOf(batch, head, start, start + count - 1);
        while (keys.Next())
        {
            BlockMask mask = _problem.Mask(batch, keys, start, count);
            if (!mask.IsEmpty && _problem.DocumentsMeet(batch, keys, start, count, out int* keyDocuments, out int* queryDocuments))
            {
                isWritten = isWhole && _problem.IsLast(batch, keys, start, count);
                block.Add<V>(mask, ref turn, keys.First, keyDocuments, queryDocuments, isWritten ? dq : null);
            }
        }

        if (dq is not null && !isWritten)
        {
            if (!turn.HasQuerySums)
            {
                HeadRow.Zero<V>(scratch.QuerySums, (nint)count * scratch.DepthRow);
            }

            double scale;
            Element.Set<V>(&scale, 0, _problem.Scale);
            HeadRow.WriteRows<V>(scratch.QuerySums, scratch.DepthRow, dq, _gradients.DQ.Time, count, _problem.Depth, &scale, 0, _gradients.AccumulateQ);
        }
    }
}
