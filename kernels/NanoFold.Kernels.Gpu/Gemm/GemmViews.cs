using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>Describes products of views as kernels see them; addresses are filled in by the caller.</summary>
internal static class GemmViews
{
    /// <summary>Rows further apart than this cannot be reached by a tile's 32-bit offsets.</summary>
    public const long MostStride = int.MaxValue / 256;

    /// <summary>Most products of one launch along a grid's third dimension.</summary>
    private const int MostProducts = 65535;

    /// <summary>False for layouts that the kernels cannot read: no stride of a matrix is 1, or it is too large.</summary>
    public static bool TryDescribe(in MatMulArgs args, out GemmProblem problem, out GemmBatch batch)
    {
        View a = args.A, b = args.B, y = args.Y, residual = args.Residual, bias = args.Bias;
        batch = GemmBatch.Of(args);
        problem = default;
        problem.M = y.Layout[-2];
        problem.N = y.Layout[-1];
        problem.K = a.Layout[args.TransposeA ? -2 : -1];
        problem.Alpha = (float)args.Alpha;
        problem.Accumulate = args.Accumulate;
        (problem.Input, problem.Output) = (Type(a.Type), Type(y.Type));
        problem.BiasType = bias.IsNone ? null : Type(bias.Type);
        problem.ResidualType = residual.IsNone ? null : Type(residual.Type);
        long biasStride = GemmBatch.Stride(bias, 1);
        long strideN = GemmBatch.Stride(y, 1), residualN = GemmBatch.Stride(residual, 1);
        problem.StrideY = GemmBatch.Stride(y, 2);
        problem.StrideResidual = GemmBatch.Stride(residual, 2);
        bool fits = IsReal(a.Type) && IsReal(y.Type)
            && Matrix(a, args.TransposeA ? 1 : 2, args.TransposeA ? 2 : 1, problem.M, problem.K, out problem.ColumnsA, out problem.StrideA)
            && Matrix(b, args.TransposeB ? 1 : 2, args.TransposeB ? 2 : 1, problem.K, problem.N, out problem.ColumnsB, out problem.StrideB)
            && IsAdjacent(strideN, y.Type, problem.N) && problem.StrideY <= MostStride
            && (bias.IsNone || IsAdjacent(biasStride, bias.Type, problem.N))
            && (residual.IsNone || (IsAdjacent(residualN, residual.Type, problem.N) && problem.StrideResidual <= MostStride));
        if (!fits)
        {
            return false;
        }

        // Products of many rows with one b are one product, where the rows go on from one to the next.
        GemmBatch.Dimension inner = batch[0];
        if (batch.Rank > 0 && inner.B == 0 && !problem.ColumnsA && inner.A == problem.M * problem.StrideA && inner.Y == problem.M * problem.StrideY
            && inner.Residual == (residual.IsNone ? 0 : problem.M * problem.StrideResidual) && (long)inner.Count * problem.M < int.MaxValue)
        {
            problem.M *= inner.Count;
            batch.RemoveInner();
        }

        (problem.InnerCount, problem.OuterCount) = (batch[0].Count, batch[1].Count);
        (problem.InnerA, problem.InnerB, problem.InnerY, problem.InnerResidual) = (batch[0].A, batch[0].B, batch[0].Y, batch[0].Residual);
        (problem.OuterA, problem.OuterB, problem.OuterY, problem.OuterResidual) = (batch[1].A, batch[1].B, batch[1].Y, batch[1].Residual);
        return (long)problem.InnerCount * problem.OuterCount <= MostProducts;
    }

    /// <summary>As above, of a grouped product.</summary>
    public static bool TryDescribe(in GroupedMatMulArgs args, out GemmProblem problem)
    {
        View a = args.A, b = args.B, y = args.Y;
        problem = default;
        problem.Mode = args.PerGroupOutput ? GemmMode.DepthGroups : GemmMode.RowGroups;
        problem.Groups = (args.PerGroupOutput ? y : b).Layout[0];
        problem.M = y.Layout[-2];
        problem.N = y.Layout[-1];
        problem.K = a.Layout[args.PerGroupOutput ? 0 : 1];
        problem.Alpha = 1;
        problem.Accumulate = args.Accumulate;
        problem.InnerCount = problem.OuterCount = 1;
        (problem.Input, problem.Output) = (Type(a.Type), Type(y.Type));
        problem.StrideY = GemmBatch.Stride(y, 2);
        problem.OuterB = args.PerGroupOutput ? 0 : GemmBatch.Stride(b, 3);
        problem.OuterY = args.PerGroupOutput ? GemmBatch.Stride(y, 3) : 0;
        bool transposeA = args.PerGroupOutput;
        bool fits = IsReal(a.Type) && IsReal(y.Type) && problem.Groups <= MostProducts
            && Matrix(a, transposeA ? 1 : 2, transposeA ? 2 : 1, problem.M, problem.K, out problem.ColumnsA, out problem.StrideA)
            && Matrix(b, args.TransposeB ? 1 : 2, args.TransposeB ? 2 : 1, problem.K, problem.N, out problem.ColumnsB, out problem.StrideB)
            && IsAdjacent(GemmBatch.Stride(y, 1), y.Type, problem.N) && problem.StrideY <= MostStride;

        // A group's rows begin anywhere: they cannot be what is contiguous.
        return fits && (args.PerGroupOutput ? problem.ColumnsA && !problem.ColumnsB : !problem.ColumnsA);
    }

    /// <summary>Which of a matrix's axes is contiguous (columns: the first), and the bytes along the other.</summary>
    private static bool Matrix(in View view, int rowAxis, int columnAxis, int rows, int columns, out bool isColumns, out long stride)
    {
        long row = GemmBatch.Stride(view, rowAxis), column = GemmBatch.Stride(view, columnAxis);
        isColumns = !IsAdjacent(column, view.Type, columns);
        stride = isColumns ? column : row;
        return stride <= MostStride && (!isColumns || IsAdjacent(row, view.Type, rows));
    }

    private static bool IsAdjacent(long stride, DType type, int count) => count == 1 || stride == type.Size();

    private static bool IsReal(DType type) => type is DType.Float32 or DType.BFloat16 or DType.Float16;

    private static GpuType Type(DType type) => type switch
    {
        DType.BFloat16 => GpuType.BFloat16,
        DType.Float16 => GpuType.Float16,
        _ => GpuType.Float32,
    };
}
