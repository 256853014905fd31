using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>A product as the device sees it: addresses, strides in bytes, types. A batch has an outer and an inner dimension.</summary>
internal struct GemmProblem
{
    public long A, B, Y, Bias, Residual, Offsets;

    public long StrideA, StrideB, StrideY, StrideResidual;

    /// <summary>Where there is a <see cref="Gate"/>: what its formula gives, or for its gradients the gates and what they multiply.</summary>
    public long Gated, StrideGated;

    /// <summary>A formula that is applied to the sums; the columns are then those of both halves, of its gradients those of one.</summary>
    public GemmGate? Gate;

    /// <summary>Where there is a <see cref="Rotation"/>: cosines and sines of positions, and the position that each row of a batch begins at, or 0.</summary>
    public long Table, StrideTable, Positions;

    /// <summary>Rows of a batch's row, the last position of the table, and the columns that are heads to be turned.</summary>
    public int Time, LastPosition, TurnedColumns;

    /// <summary>Where of rows the largest results and sums of exponentials go, [M, parts] pairs of floats, if they are wanted; parts are those of <see cref="GemmRowSums.Parts"/>.</summary>
    public long RowSums;

    public bool SumsRows;

    /// <summary>Rotary positions that are applied to the sums.</summary>
    public GemmRotation? Rotation;

    public long OuterA, OuterB, OuterY, OuterResidual, InnerA, InnerB, InnerY, InnerResidual;

    /// <summary>Rows, columns and depth; of a product with grouped rows M counts all rows, with grouped depth K does.</summary>
    public int M, N, K;

    public int OuterCount, InnerCount;

    /// <summary>Of a grouped product, else 0.</summary>
    public int Groups;

    public GemmMode Mode;

    public GpuType Input, Output;

    public GpuType? BiasType, ResidualType;

    /// <summary>a is stored [K, M].</summary>
    public bool ColumnsA;

    /// <summary>b is stored [N, K].</summary>
    public bool ColumnsB;

    public bool Accumulate;

    public float Alpha;

    public readonly int Batch => OuterCount * InnerCount;

    /// <summary>The kind of kernel, the depth unsplit.</summary>
    public readonly GemmSpec Spec()
    {
        int chunk = 16 / Input.Size();
        return new GemmSpec
        {
            Input = Input,
            Output = Output,
            Mode = Mode,
            ColumnsA = ColumnsA,
            ColumnsB = ColumnsB,
            AlignA = Align(A | StrideA | OuterA | InnerA),
            AlignB = Align(B | StrideB | OuterB | InnerB),
            RaggedDepth = K % chunk != 0 && (!ColumnsA || ColumnsB),
            WideY = (Y | StrideY | OuterY | InnerY) % 16 == 0
                && (ResidualType is null || (Residual | StrideResidual | OuterResidual | InnerResidual) % 16 == 0)
                && (ResidualType is null || ResidualType == Output)
                && (Gate is not { } gate || (Gated | StrideGated | ((long)gate.Columns(N) * Output.Size())) % 16 == 0),
            Accumulate = Accumulate,
            Bias = BiasType,
            Residual = ResidualType,
            Gate = Gate,
            Rotation = Rotation,
            SumsRows = SumsRows,
        };
    }

    public readonly GemmArguments Arguments(in GemmTile tile) => new()
    {
        A = A,
        B = B,
        Y = Y,
        Bias = Bias,
        Residual = Residual,
        Offsets = Offsets,
        Gated = Gated,
        Table = Table,
        Positions = Positions,
        StrideTable = (int)StrideTable,
        Time = Time,
        LastPosition = LastPosition,
        TurnedColumns = TurnedColumns,
        RowSums = RowSums,
        RowParts = SumsRows ? GemmRowSums.Parts(tile, N) : 0,
        OuterA = OuterA,
        OuterB = OuterB,
        OuterY = OuterY,
        OuterResidual = OuterResidual,
        InnerA = InnerA,
        InnerB = InnerB,
        InnerY = InnerY,
        InnerResidual = InnerResidual,
        StrideA = (int)StrideA,
        StrideB = (int)StrideB,
        StrideY = (int)StrideY,
        StrideResidual = (int)StrideResidual,
        StrideGated = (int)StrideGated,
        M = M,
        N = N,
        K = K,
        TilesM = Ceil(M, tile.M),
        TilesN = Ceil(N, tile.N),
        InnerCount = InnerCount,
        Groups = Groups,
        Alpha = Alpha,
    };

    internal static int Ceil(int a, int b) => (int)(((long)a + b - 1) / b);

    private static int Align(long bits) => bits % 16 == 0 ? 16 : bits % 4 == 0 ? 4 : 2;
}

/// <summary>The leading dimensions of a product, innermost first, with those merged that lie after one another in every operand. Strides in bytes.</summary>
internal struct GemmBatch
{
    private Dimensions _dimensions;

    public int Rank { get; private set; }

    public readonly Dimension this[int i] => i < Rank ? _dimensions[i] : new Dimension { Count = 1 };

    public static GemmBatch Of(in MatMulArgs args)
    {
        var batch = default(GemmBatch);
        for (int axis = 3; axis <= args.Y.Layout.Rank; axis++)
        {
            batch.Add(new Dimension
            {
                Count = args.Y.Layout[-axis],
                A = Stride(args.A, axis),
                B = Stride(args.B, axis),
                Y = Stride(args.Y, axis),
                Residual = Stride(args.Residual, axis),
            });
        }

        return batch;
    }

    /// <summary>Takes the innermost dimension away, its products being done as rows of one.</summary>
    public void RemoveInner()
    {
        Rank--;
        for (int i = 0; i < Rank; i++)
        {
            _dimensions[i] = _dimensions[i + 1];
        }
    }

    /// <summary>Bytes between neighbors along an axis counted from the end; 0 where there is none or only one.</summary>
    internal static long Stride(in View view, int axis)
        => view.IsNone || axis > view.Layout.Rank || view.Layout[-axis] == 1 ? 0 : view.Layout.Stride(-axis) * view.Type.Size();

    private void Add(in Dimension outer)
    {
        if (outer.Count == 1)
        {
            return;
        }

        if (Rank > 0)
        {
            ref Dimension inner = ref _dimensions[Rank - 1];
            long n = inner.Count;
            if (outer.A == n * inner.A && outer.B == n * inner.B && outer.Y == n * inner.Y && outer.Residual == n * inner.Residual)
            {
                inner.Count = checked(inner.Count * outer.Count);
                return;
            }
        }

        _dimensions[Rank++] = outer;
    }

    internal struct Dimension
    {
        public int Count;
        public long A, B, Y, Residual;
    }

    [InlineArray(Layout.MaxRank - 2)]
    private struct Dimensions
    {
        private Dimension _first;
    }
}

/// <summary>What every kernel for matrix products is launched with. Addresses and strides are in bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GemmArguments
{
    public long A, B, Y, Bias, Residual;

    /// <summary>[E + 1] row offsets (Int32) of a grouped product.</summary>
    public long Offsets;

    /// <summary>Between the products of a batch, over the outer and the inner batch dimension; between groups the outer one. For a split depth, of y: between the slices' sums.</summary>
    public long OuterA, OuterB, OuterY, OuterResidual, InnerA, InnerB, InnerY, InnerResidual;

    /// <summary>Between rows as they are stored (the leading dimension).</summary>
    public int StrideA, StrideB, StrideY, StrideResidual;

    public int M, N, K;

    /// <summary>Blocks along M and N.</summary>
    public int TilesM, TilesN;

    /// <summary>Products along the inner batch dimension.</summary>
    public int InnerCount;

    /// <summary>Of K, for a block along grid z, where the depth is split.</summary>
    public int SliceDepth;

    /// <summary>Where slices are added by the last block of a tile: how many there are.</summary>
    public int Groups;

    public float Alpha;

    /// <inheritdoc cref="GemmProblem.Gated"/>
    public int StrideGated;

    /// <inheritdoc cref="GemmProblem.Gated"/>
    public long Gated;

    /// <summary>Where blocks leave the sums of parts of a tile's depth, and the counters of tiles, for <see cref="Slices.LastSum"/>.</summary>
    public long Parts, Counters;

    /// <inheritdoc cref="GemmProblem.Table"/>
    public long Table, Positions;

    /// <inheritdoc cref="GemmProblem.Table"/>
    public int StrideTable;

    /// <inheritdoc cref="GemmProblem.Time"/>
    public int Time, LastPosition, TurnedColumns;

    /// <inheritdoc cref="GemmProblem.RowSums"/>
    public int RowParts;

    /// <inheritdoc cref="GemmProblem.RowSums"/>
    public long RowSums;

    /// <summary>Reads the field called <paramref name="field"/>.</summary>
    public static Reg Read(PtxWriter w, RegKind kind, string field)
        => w.Argument(kind, (int)Marshal.OffsetOf<GemmArguments>(field));
}
