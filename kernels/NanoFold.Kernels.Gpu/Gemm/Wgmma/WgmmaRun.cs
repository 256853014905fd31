using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>Launches a product by warpgroups: as many blocks as there are multiprocessors, or tiles where these are fewer; of clusters as many as that has whole ones.</summary>
internal static class WgmmaRun
{
    public static void Run<TDevice>(TDevice device, in GemmProblem problem, in GemmTile tile)
        where TDevice : IGemmDevice
    {
        GemmSpec spec = WgmmaGemm.Spec(problem);
        var layout = new WgmmaLayout(spec, tile);
        var arguments = new WgmmaArguments
        {
            Product = problem.Arguments(tile),
            Watch = device.Watch,
            A = Operand(device, problem, layout, ofA: true),
            B = Operand(device, problem, layout, ofA: false),
        };
        if (layout.HasResultTile)
        {
            arguments.Y = device.Map(new TensorMapShape(spec.Output, problem.Y, problem.N, problem.M, RowBytes(problem.StrideY, problem.N, spec.Output), WgmmaLayout.BoxRowsOfResult));
            if (spec.Residual is { } type)
            {
                arguments.Residual = device.Map(
                    new TensorMapShape(type, problem.Residual, problem.N, problem.M, RowBytes(problem.StrideResidual, problem.N, type), WgmmaLayout.BoxRowsOfResult));
            }
        }

        // A cluster's tiles lie beneath one another and are counted as one.
        arguments.Product.TilesM = GemmProblem.Ceil(problem.M, tile.M * tile.Cluster);
        int tiles = arguments.Product.TilesM * arguments.Product.TilesN, clusters = Math.Clamp(device.Multiprocessors / tile.Cluster, 1, tiles);
        device.Launch(new GemmKernelKey(GemmFamily.Wgmma, spec, tile), arguments, clusters * tile.Cluster, 1, 1);
    }

    private static TensorMap Operand<TDevice>(TDevice device, in GemmProblem problem, in WgmmaLayout layout, bool ofA)
        where TDevice : IGemmDevice
    {
        (int length, long address, long stride) = ofA ? (problem.M, problem.A, problem.StrideA) : (problem.N, problem.B, problem.StrideB);
        (int columns, int rows) = layout.Spec.IsDepthContiguous(ofA) ? (problem.K, length) : (length, problem.K);
        return device.Map(new TensorMapShape(problem.Input, address, columns, rows, RowBytes(stride, columns, problem.Input), layout.BoxRows(ofA)));
    }

    /// <summary>A matrix of one row has no stride.</summary>
    private static long RowBytes(long stride, int columns, GpuType type) => stride > 0 ? stride : GemmProblem.Ceil(columns * type.Size(), 16) * 16L;
}
