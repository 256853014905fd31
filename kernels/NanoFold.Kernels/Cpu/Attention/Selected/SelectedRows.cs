using NanoFold.Kernels.Cpu.Attention.Cached;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Selected;

/// <summary>Attention of a few new tokens over the blocks of a cache that they list, where there is nothing to share: an item is a token of one head.</summary>
internal readonly unsafe struct SelectedRowsWork(CpuContext context, SelectedProblem problem) : ILaneWork
{
    public long Items => (long)problem.Batch * problem.Heads * problem.Time;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long pair = item / problem.Time;
        int time = (int)(item % problem.Time), batch = (int)(pair / problem.Heads), head = (int)(pair % problem.Heads), keyHead = head / problem.Group;
        void* y = problem.Y.Row<V>(batch, time, head);
        if (time >= problem.Queries(batch))
        {
            HeadRow.Zero<V>(y, problem.ValueDepth);
            return;
        }

        var lane = LaneSize.Of<V>();
        long bytes = new GroupState(null, 1, problem.Depth, problem.ValueDepth, lane).Bytes;
        var state = new GroupState(context.Scratch(worker, bytes), 1, problem.Depth, problem.ValueDepth, lane);
        state.Reset<V>(0, problem.Q.Row<V>(batch, time, head), problem.Scale);
        KeyList list = problem.Lists.Of(pair, time);
        int entry = 0, end = problem.End(batch, time);
        while (list.Next(ref entry, out int first, out int last))
        {
            for (int key = first; key < Math.Min(last, end); key += BlockSizes.Keys)
            {
                int count = Math.Min(Math.Min(last, end) - key, BlockSizes.Keys);
                state.Score<V>(0, count, GroupRows.Of<V>(problem.K.Row<V>(batch, key, keyHead), problem.K.Time));
                state.Weigh<V>(0, count, 0, null, cap: 0);
                state.Add<V>(0, count, GroupRows.Of<V>(problem.V.Row<V>(batch, key, keyHead), problem.V.Time));
            }
        }

        state.Finish<V>(0, y);
    }
}
