using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>Which kernel of attention forward by warpgroups, and its shared memory: q, which becomes y, stages of k and of v, barriers.</summary>
/// <param name="Type">Of 16 bits.</param>
/// <param name="Depth">Padded head dimension: 32, 64 or 128.</param>
/// <param name="HasPrefix">Whether keys ahead of a query may be seen; otherwise attention is causal.</param>
/// <param name="Documents">Whether documents are compared.</param>
/// <param name="Consumers">Warpgroups that compute, 64 queries each; one more copies.</param>
/// <param name="Columns">Keys of a step.</param>
/// <param name="Stages">Steps whose keys and values have room.</param>
internal readonly record struct HopperSpec(GpuType Type, int Depth, bool HasPrefix, bool Documents, int Consumers, int Columns, int Stages)
{
    /// <summary>Queries of a warpgroup.</summary>
    public const int GroupRows = 64;

    /// <summary>Of 64 queries and 64 elements.</summary>
    public const int RowPanelBytes = GroupRows * PtxWgmma.RowBytes;

    /// <summary>A warpgroup's q: its first barrier is at this offset of the barriers, 8 bytes each.</summary>
    public const int Queries = 0;

    /// <inheritdoc cref="FlashSpec.StartsEarly"/>
    public bool StartsEarly { get; init; }

    public int Threads => 128 * (1 + Consumers);

    /// <summary>Queries of a block.</summary>
    public int Rows => GroupRows * Consumers;

    /// <summary>Columns of y that are computed: whole rows of values as they lie in shared memory.</summary>
    public int Width => Panels * TensorMapShape.BoxColumns;

    /// <summary>Tensor maps copy 64 elements at a time.</summary>
    public int Panels => (Depth + TensorMapShape.BoxColumns - 1) / TensorMapShape.BoxColumns;

    /// <summary>Of a warpgroup's q.</summary>
    public int GroupBytes => Panels * RowPanelBytes;

    /// <summary>Of 64 elements of a step's keys, or values.</summary>
    public int ColumnPanelBytes => Columns * PtxWgmma.RowBytes;

    /// <summary>Of a step's keys, or values.</summary>
    public int StageBytes => Panels * ColumnPanelBytes;

    public int KeysAt => Consumers * GroupBytes;

    public int ValuesAt => KeysAt + Stages * StageBytes;

    public int BarriersAt => ValuesAt + Stages * StageBytes;

    public PtxRingLayout Ring => new(Stages, StageBytes, BarriersAt);

    public int Barriers => Consumers + 4 * Stages;

    public int SharedBytes => BarriersAt + 8 * Barriers;

    /// <summary>A stage's keys are there: offset of the first stage's barrier.</summary>
    public int FullKeys => 8 * Consumers;

    /// <summary>A stage's keys may be overwritten.</summary>
    public int EmptyKeys => FullKeys + 8 * Stages;

    public int FullValues => EmptyKeys + 8 * Stages;

    public int EmptyValues => FullValues + 8 * Stages;

    /// <summary>Registers of a thread that copies, and of one that computes: together with those of all others no more than there are.</summary>
    public (int Producer, int Consumer) Registers => Consumers == 2 ? (24, 240) : (32, 160);

    public string Name => $"flash_hopper_{Type}_{Depth}{(HasPrefix ? "_prefix" : "")}{(Documents ? "_documents" : "")}".ToLowerInvariant();

    /// <summary>The kernel for a head dimension: three warpgroups share keys and values where registers allow.</summary>
    public static HopperSpec Of(GpuType type, int headDim, bool hasPrefix, bool documents)
    {
        int depth = FlashSpec.Padded(headDim);
        bool isWide = depth == FlashSpec.MostDepth || documents || hasPrefix;
        return new HopperSpec(type, depth, hasPrefix, documents, isWide ? 2 : 3, documents && depth == FlashSpec.MostDepth ? 64 : 128, depth == FlashSpec.MostDepth ? 2 : 3);
    }
}
