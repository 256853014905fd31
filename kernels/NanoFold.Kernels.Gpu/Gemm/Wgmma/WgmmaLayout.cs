using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>Shared memory of a block: stages of a's and b's tiles, a tile of y where it is stored by a tensor map, barriers.</summary>
internal readonly record struct WgmmaLayout(GemmSpec Spec, GemmTile Tile)
{
    /// <summary>Warpgroups that multiply; one more copies.</summary>
    public const int Consumers = 2;

    public const int Threads = 128 * (1 + Consumers), ConsumerWarps = 4 * Consumers;

    /// <summary>Elements of a step of the depth: one row of shared memory.</summary>
    public const int Depth = TensorMapShape.BoxColumns;

    public const int BoxRowsOfResult = 64;

    /// <summary>Of 64 rows of a box.</summary>
    public const int PanelBytes = 64 * PtxWgmma.RowBytes;

    /// <summary>Blocks of a cluster: each loads its own rows of a, and a part of b for all of them.</summary>
    public int Cluster => Tile.Cluster;

    /// <summary>Columns of y that a tile has side by side: where gates and what they multiply meet in it, of each half of y's columns so many.</summary>
    public int Columns => Spec.HasPairs ? Tile.N / 2 : Tile.N;

    public int BytesA => Tile.M * PtxWgmma.RowBytes;

    public int BytesB => Tile.N * PtxWgmma.RowBytes;

    public int StageBytes => BytesA + BytesB;

    /// <summary>y goes through shared memory and a tensor map; else from registers.</summary>
    public bool HasResultTile => IsTiled(Spec);

    public int ResultAt => Tile.Stages * StageBytes;

    /// <summary>Of y's tile that one consumer has.</summary>
    public int ResultBytes => Tile.M * Tile.N * 2 / Consumers;

    public int BarriersAt => ResultAt + (HasResultTile ? Consumers * ResultBytes : 0);

    public PtxRingLayout Ring => new(Tile.Stages, StageBytes, BarriersAt);

    /// <summary>Tickets of consumers, where parts of a tile's depth are added: offset from the first barrier.</summary>
    public int TicketOf => 8 * (2 * Tile.Stages + Residuals);

    public bool HasParts => Tile.IsStream || Spec.Mode == GemmMode.SumSlices;

    public int SharedBytes => BarriersAt + TicketOf + (HasParts ? 8 * Consumers : 0);

    /// <summary>Barriers of residuals, one a consumer.</summary>
    public int Residuals => HasResultTile && Spec.Residual is not null ? Consumers : 0;

    /// <summary>Sums of 64 rows that a consumer has beneath one another.</summary>
    public int Heights => Tile.M / (64 * Consumers);

    /// <summary>A stage is filled: offset from the stage's first barrier.</summary>
    public static int Full => 0;

    /// <summary>A stage may be filled.</summary>
    public int Empty => 8 * Tile.Stages;

    /// <summary>The residual of a consumer is there: offset from the first barrier of all.</summary>
    public int ResidualOf => 16 * Tile.Stages;

    /// <summary>Warps that hand a stage back, those of the other blocks of the cluster among them.</summary>
    public int EmptyCount => ConsumerWarps * Cluster;

    /// <summary>Of 64 columns of a consumer's part of y's tile.</summary>
    public int Panels => Tile.N / TensorMapShape.BoxColumns;

    /// <summary>Rows of a box of an operand: of b as many as a block loads, of pairs one half of them.</summary>
    public int BoxRows(bool ofA) => (Spec.IsDepthContiguous(ofA) ? ofA ? Tile.M : Columns : Depth) / (ofA ? 1 : Cluster);

    public static bool IsTiled(in GemmSpec spec)
        => spec is { WideY: true, Accumulate: false } && spec.Output != GpuType.Float32 && (spec.Residual is null || spec.Residual == spec.Output);
}
