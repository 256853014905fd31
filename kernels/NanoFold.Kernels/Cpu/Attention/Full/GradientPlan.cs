using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// How the backward pass is cut: an item is a batch row, a value head and a part of the queries, and owns an accumulator of dk and dv
/// over all keys. With one part that is the worker's own; with more they lie in the caller's scratch and are added in order.
/// </summary>
internal readonly struct GradientPlan
{
    /// <summary>Enough items to feed the threads of common machines; more would only cost scratch.</summary>
    private const int WantedItems = 32;

    /// <summary>Where few keys are listed, adding up the parts would cost as much as making them.</summary>
    private const int WantedItemsOfLists = 8;
    private const int MaxParts = 16;
    private const int MinPartRows = 192;

    /// <summary>Accumulator rows are padded to the widest lane, so that scratch does not depend on the path.</summary>
    private const int RowUnit = 16;

    private GradientPlan(int batch, int time, int valueHeads, int wantedItems)
    {
        long pairs = (long)batch * valueHeads;
        int wanted = (int)Math.Min(MaxParts, (wantedItems + pairs - 1) / pairs);
        int block = BlockSizes.Queries(time);
        int parts = Math.Clamp(Math.Min(wanted, time / MinPartRows), 1, MaxParts);
        PartRows = BlockSizes.Count(BlockSizes.Count(time, parts), block) * block;
        Parts = BlockSizes.Count(time, PartRows);
    }

    private GradientPlan(int partRows)
    {
        PartRows = partRows;
        Parts = 1;
    }

    public int Parts { get; }

    /// <summary>Queries of a part.</summary>
    public int PartRows { get; }

    /// <summary>In double precision, or with more keys than queries, one part: such cases get along without scratch.</summary>
    public static GradientPlan Of(in AttentionShape shape)
        => shape.Type == DType.Float64 || shape.Keys != shape.Time ? new(shape.Time)
            : new(shape.Batch, shape.Time, shape.ValueHeads, shape.HasListsOfFew(BlockSizes.QueryUnit) ? WantedItemsOfLists : WantedItems);

    public static long ScratchBytes(in AttentionShape shape)
    {
        int parts = Of(shape).Parts;
        return parts == 1 ? 0 : shape.Batch * shape.ValueHeads * parts * PartialBytes(shape);
    }

    /// <summary>Bytes of the sums of one part.</summary>
    public static unsafe long PartialBytes(in AttentionShape shape) => new KeyGradients(null, shape, sizeof(float)).Bytes;

    /// <summary>Elements of a padded row.</summary>
    public static int Padded(int depth) => BlockSizes.Count(depth, RowUnit) * RowUnit;
}

/// <summary>Adds the parts of dk, dv and dc in their order, for a batch row, a value head and a block of keys.</summary>
internal readonly struct GradientSumWork(AttentionProblem problem, GradientProblem gradients) : ILaneWork
{
    private const int BlockKeys = 128;

    public long Items => (long)problem.Batch * problem.ValueHeads * BlockSizes.Count(problem.Keys, BlockKeys);

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int blocks = BlockSizes.Count(problem.Keys, BlockKeys);
        long pair = item / blocks;
        int batch = (int)(pair / problem.ValueHeads), valueHead = (int)(pair % problem.ValueHeads);
        int first = (int)(item % blocks) * BlockKeys;
        int end = Math.Min(first + BlockKeys, problem.Keys);
        KeyGradients sums = gradients.Partial(problem, batch, valueHead, 0);
        for (int part = 0; part < gradients.Plan.Parts; part++)
        {
            int from = part * gradients.Plan.PartRows;
            KeyBlocks range = problem.KeysOf(batch, from, Math.Min(from + gradients.Plan.PartRows, problem.Time) - 1);
            KeyGradients own = gradients.Partial(problem, batch, valueHead, part);
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

        gradients.WriteKeys<V>(problem, sums, batch, first, end, valueHead);
    }
}
