using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loss;

/// <summary>Nats and log-sum-exp of each row; 0 for both where a row has no target.</summary>
internal unsafe struct CrossEntropyForward : ILaneWork
{
    public RowSpace Logits;
    public int* Targets;
    public void* Losses;
    public void* LogSumExp;

    /// <summary>The row of targets, losses and log-sum-exp that each row of logits belongs to; null where they are the same.</summary>
    public int* Of;
    public long Rows;
    public int Vocab;
    public int RowsPerItem;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long end = Math.Min((item + 1) * RowsPerItem, Rows);
        for (long i = item * RowsPerItem; i < end; i++)
        {
            long row = Of is null ? i : Of[i];
            int target = Targets[row];
            double logSumExp = 0, loss = 0;
            if (target >= 0)
            {
                byte* logits = Logits.Row(i);
                logSumExp = Loss.LogSumExp.Of<V>(logits, Vocab);
                loss = logSumExp - Element.Get<V>(logits, target);
            }

            Element.Set<V>(LogSumExp, row, logSumExp);
            Element.Set<V>(Losses, row, loss);
        }
    }
}
