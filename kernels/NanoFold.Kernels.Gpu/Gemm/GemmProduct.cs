using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// What a measured choice is for: size, layouts and operands of a single product. What is done to its sums (type of y, bias, residual) hardly matters to the choice.
/// </summary>
internal readonly record struct GemmProduct(int M, int N, int K, bool ColumnsA, bool ColumnsB, GpuType Input, bool TensorFloat32)
{
    /// <summary>Null for batches and groups, for which nothing is measured.</summary>
    public static GemmProduct? Of(in GemmProblem problem, GpuPrecision precision)
        => problem.Mode == GemmMode.Batch && problem.Batch == 1
            ? new GemmProduct(
                problem.M, problem.N, problem.K, problem.ColumnsA, problem.ColumnsB, problem.Input, problem.Input == GpuType.Float32 && precision == GpuPrecision.TensorFloat32)
            : null;
}
