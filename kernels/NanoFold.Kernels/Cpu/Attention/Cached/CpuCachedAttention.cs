using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Selected;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// Attention of decoding and prefill on the CPU. The query heads of a key head share each read of the cache, and few queries over
/// a long cache are cut by keys, whose parts are joined in order. The same bits for any number of threads.
/// </summary>
public sealed unsafe class CpuCachedAttention(CpuContext context) : IKernel<CachedAttentionCall>, IDisposable
{
    /// <summary>Columns from which on tiles of those that chose a block are fuller than lanes.</summary>
    private const int LeastColumns = 128;

    /// <summary>Products with elements of keys and values from which on other threads are called: they take microseconds to come.</summary>
    private const long LeastElements = 1 << 17;

    private readonly CallMemory _memory = new();

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others, or a row's positions do not fit the cache.</exception>
    public void Run(in CachedAttentionCall call)
    {
        var problem = new CachedProblem(call);
        if (call.Visible.Blocks.IsNone)
        {
            Dense(problem);
            return;
        }

        problem.CheckRows();
        Append(problem);
        Selected(new SelectedProblem(problem, call.Visible.Blocks));
    }

    public PreparedCall? Prepare(in CachedAttentionCall call)
    {
        if (!call.Visible.Blocks.IsNone || !CpuContext.Supports(call.Q.Type))
        {
            return null;
        }

        return new Prepared(this, new CachedProblem(call));
    }

    public void Dispose() => _memory.Dispose();

    /// <summary>Over all that is visible.</summary>
    private void Dense(in CachedProblem problem)
    {
        int keys = problem.CheckRows();
        CachedPlan plan = new CachedPlan(problem, context.Sequences).For(keys);
        bool parallel = (long)keys * problem.Batch * problem.Time * problem.Heads * (problem.Depth + problem.ValueDepth) >= LeastElements;
        if (plan.AppendsFirst)
        {
            Append(problem);
        }

        var parts = new CachedParts(_memory.Take(CachedParts.Bytes(problem, plan)), plan);
        var work = new CachedWork(context, problem, plan, parts);
        context.Run(problem.Type, work.Items, ref work, parallel);
        if (plan.Parts > 1)
        {
            var combine = new CachedCombineWork(context, problem, plan, parts);
            context.Run(problem.Type, combine.Items, ref combine, parallel);
        }
    }

    private void Append(in CachedProblem problem)
    {
        var append = new CachedAppendWork(problem);
        context.Run(problem.Type, append.Items, ref append);
    }

    /// <summary>New keys are in place: over the blocks that each token lists.</summary>
    private void Selected(in SelectedProblem problem)
    {
        if (problem.Time * problem.Group < LeastColumns)
        {
            var rows = new SelectedRowsWork(context, problem);
            context.Run(problem.Type, rows.Items, ref rows);
            return;
        }

        var tiles = new SelectedForwardWork(context, problem);
        context.Run(problem.Type, tiles.Items, ref tiles);
    }

    private sealed class Prepared(CpuCachedAttention kernel, CachedProblem problem) : PreparedCall
    {
        public override void Run() => kernel.Dense(problem);
    }
}

/// <summary>Writes new keys and values into their slots, ahead of items that share them.</summary>
internal readonly struct CachedAppendWork(CachedProblem problem) : ILaneWork
{
    public long Items => (long)problem.Batch * problem.KeyHeads;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int batch = (int)(item / problem.KeyHeads), keyHead = (int)(item % problem.KeyHeads);
        if (problem.Count(batch) > 0)
        {
            problem.Append<V>(batch, keyHead, problem.Keys(batch, 0, problem.Count(batch)), 0, int.MaxValue);
        }
    }
}
