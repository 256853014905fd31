using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>A product as the device sees it: addresses, strides in bytes, types. A batch has an outer and an inner dimension.</summary>
internal struct GemmProblem
{
    public long A, B, Y, Bias, Residual, Offsets;

    public long StrideA, StrideB, StrideY, StrideResidual;

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
                && (ResidualType is null || ResidualType == Output),
            Accumulate = Accumulate,
            Bias = BiasType,
            Residual = ResidualType,
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
