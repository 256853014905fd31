using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>Adds the parts of dk and dv in their order, for a batch row, a key head and a block of keys.</summary>
internal readonly struct GradientSumWork(AttentionProblem problem, GradientProblem gradients) : ILaneWork
{
    private const int BlockKeys = 128;

    public long Items => (long)problem.Batch * problem.KeyHeads * BlockSizes.Count(problem.Keys, BlockKeys);

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int blocks = BlockSizes.Count(problem.Keys, BlockKeys);
        long pair = item / blocks;
        int batch = (int)(pair / problem.KeyHeads), keyHead = (int)(pair % problem.KeyHeads);
        int first = (int)(item % blocks) * BlockKeys;
        int end = Math.Min(first + BlockKeys, problem.Keys);
        KeyGradients sums = gradients.Partial(problem, batch, keyHead, 0);
        for (int part = 0; part < gradients.Plan.Parts; part++)
        {
            int from = part * gradients.Plan.PartRows;
            KeyBlocks range = problem.KeysOf(batch, from, Math.Min(from + gradients.Plan.PartRows, problem.Time) - 1);
            KeyGradients own = gradients.Partial(problem, batch, keyHead, part);
            for (int j = first; j < end; j++)
            {
                bool isTouched = j < range.SinkEnd || (j >= range.Start && j < range.End);

                // The first part's rows take the sum; where it saw nothing they hold none yet.
                if (part == 0 && !isTouched)
                {
                    sums.Zero<V>(j, j + 1);
                }
                else if (part > 0 && isTouched)
                {
                    sums.Add<V>(j, own);
                }
            }
        }

        gradients.WriteKeys<V>(sums, batch, first, end, keyHead);
    }
}
