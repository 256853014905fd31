using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// How the backward pass is cut: an item is a batch row, a value head and a part of the queries, and owns an accumulator of dk and dv
/// over all keys. With one part that is the worker's own; with more they lie in the caller's scratch and are added in order.
/// </summary>
internal readonly struct GradientPlan
{
    public const int MaxParts = 16;

    /// <summary>Enough items to feed the threads of common machines; more would only cost scratch.</summary>
    private const int WantedItems = 32;

    /// <summary>Where few keys are listed, adding up the parts would cost as much as making them.</summary>
    private const int WantedItemsOfLists = 8;
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
