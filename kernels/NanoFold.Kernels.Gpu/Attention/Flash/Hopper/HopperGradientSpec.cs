using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>
/// Which kernel of attention backward by warpgroups, and its shared memory: k and v, which become dk and dv, gradients of scores twice, stages of q, dy, log-sum-exps in bits and delta, barriers, a ticket.
/// </summary>
/// <param name="Type">Of 16 bits.</param>
/// <param name="Depth">Padded head dimension: 32, 64 or 128.</param>
/// <param name="HasPrefix">Whether keys ahead of a query may be seen; otherwise attention is causal.</param>
/// <param name="Documents">Whether documents are compared.</param>
/// <param name="Stages">Steps whose queries have room.</param>
internal readonly record struct HopperGradientSpec(GpuType Type, int Depth, bool HasPrefix, bool Documents, int Stages)
{
    /// <summary>Warpgroups that compute, 64 keys each; one more copies.</summary>
    public const int Consumers = 2;

    /// <summary>Keys of a warpgroup.</summary>
    public const int GroupKeys = 64;

    /// <summary>Keys of a block.</summary>
    public const int Keys = Consumers * GroupKeys;

    public const int Threads = 128 * (1 + Consumers);

    /// <summary>Threads that compute.</summary>
    public const int ConsumerThreads = 128 * Consumers;

    /// <summary>Of 128 keys and 64 elements, or 64 queries.</summary>
    public const int KeyPanelBytes = Keys * PtxWgmma.RowBytes;

    /// <summary>Where a warpgroup's keys begin in such a panel: at this times its number.</summary>
    public const int GroupKeyBytes = GroupKeys * PtxWgmma.RowBytes;

    /// <summary>Log-sum-exps, or delta, of this many queries are one row in shared memory.</summary>
    public const int RowQueries = PtxWgmma.RowBytes / sizeof(float);

    /// <summary>Barrier of k and v: offset from the first of all.</summary>
    public const int Fixed = 0;

    /// <summary>A stage is filled: offset of the first stage's barrier.</summary>
    public const int Full = 8;

    /// <summary>Room for rows of log-sum-exps or of delta: boxes begin at multiples of it.</summary>
    private const int StatisticsBytes = 1024;

    /// <inheritdoc cref="FlashSpec.StartsEarly"/>
    public bool StartsEarly { get; init; }

    /// <summary>Queries of a step: a warpgroup's part of dq is 64 of them, or 64 columns of dq.</summary>
    public int Queries => QueriesOf(Depth);

    /// <summary>Whether the product with values begins after scores are hidden: numbers of documents of so many queries have no room in registers beside its sums.</summary>
    public bool MasksFirst => Documents && Queries > GroupKeys;

    /// <summary>Tensor maps copy 64 elements at a time.</summary>
    public int Panels => PanelsOf(Depth);

    /// <summary>Columns of dk and dv that are computed: whole rows as they lie in shared memory.</summary>
    public int Width => Panels * TensorMapShape.BoxColumns;

    /// <summary>Of k, or v.</summary>
    public int KeyBytes => Panels * KeyPanelBytes;

    /// <summary>Of a step's queries and 64 elements.</summary>
    public int QueryPanelBytes => Queries * PtxWgmma.RowBytes;

    /// <summary>Of a step's q, or dy.</summary>
    public int QueryBytes => Panels * QueryPanelBytes;

    public int ValuesAt => KeyBytes;

    /// <summary>Gradients of scores, key by query: panels of 64 queries.</summary>
    public int GradientsAt => 2 * KeyBytes;

    /// <summary>Of one of the two.</summary>
    public int GradientBytes => Queries / TensorMapShape.BoxColumns * KeyPanelBytes;

    /// <summary>A stage's q.</summary>
    public int QueriesAt => GradientsAt + (2 * GradientBytes);

    /// <summary>A stage's dy.</summary>
    public int ResultsAt => QueriesAt + QueryBytes;

    /// <summary>A stage's log-sum-exps in bits.</summary>
    public int BitsAt => ResultsAt + QueryBytes;

    /// <summary>A stage's delta.</summary>
    public int DeltaAt => BitsAt + StatisticsBytes;

    public int StageBytes => (2 * QueryBytes) + (2 * StatisticsBytes);

    /// <summary>That are copied for a stage.</summary>
    public int CopiedBytes => (2 * QueryBytes) + (2 * Queries * sizeof(float));

    public int BarriersAt => QueriesAt + (Stages * StageBytes);

    public PtxRingLayout Ring => new(Stages, StageBytes, BarriersAt);

    /// <summary>A stage may be overwritten.</summary>
    public int Empty => Full + (8 * Stages);

    public int TicketAt => BarriersAt + Empty + (8 * Stages);

    public int SharedBytes => TicketAt + 8;

    public FlashTurnShape Turns => new(Queries, Keys, ConsumerThreads / 32, Documents);

    public string Name => $"flash_hopper_gradients_{Type}_{Depth}{(HasPrefix ? "_prefix" : "")}{(Documents ? "_documents" : "")}".ToLowerInvariant();

    /// <summary>The kernel for a head dimension.</summary>
    public static HopperGradientSpec Of(GpuType type, int headDim, bool hasPrefix, bool documents) => new(type, FlashSpec.Padded(headDim), hasPrefix, documents, 3);

    /// <summary>What it needs of the scratch.</summary>
    public static FlashRoom Room(int batch, int heads, int time, int headDim)
    {
        int depth = FlashSpec.Padded(headDim);
        return FlashRoom.Of(batch, heads, time, QueriesOf(depth), PanelsOf(depth) * TensorMapShape.BoxColumns, ConsumerThreads / 32);
    }

    private static int QueriesOf(int depth) => depth == FlashSpec.MostDepth ? 64 : 128;

    private static int PanelsOf(int depth) => (depth + TensorMapShape.BoxColumns - 1) / TensorMapShape.BoxColumns;
}
