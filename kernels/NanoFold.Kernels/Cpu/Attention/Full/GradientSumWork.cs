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
        for (int j = first; j < end; j++)
        {
            // The first part's rows take the sum; where it saw nothing they hold none yet.
            if (!Touched(0, j))
            {
                sums.Zero<V>(j, j + 1);
            }

            for (int part = 1; part < gradients.Plan.Parts; part++)
            {
                if (Touched(part, j))
                {
                    sums.Add<V>(j, gradients.Partial(problem, batch, keyHead, part));
                }
            }
        }

        gradients.WriteKeys<V>(sums, batch, first, end, keyHead);
    }

    private bool Touched(int part, int key)
    {
        int first = part * gradients.Plan.PartRows;
        int last = Math.Min(first + gradients.Plan.PartRows, problem.Time) - 1;
        KeyBlocks range = problem.KeysOf(first, last, BlockSizes.Keys);
        return key < range.SinkEnd || (key >= range.Start && key < range.End);
    }
}
