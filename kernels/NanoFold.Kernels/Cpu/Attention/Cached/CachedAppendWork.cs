using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

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
