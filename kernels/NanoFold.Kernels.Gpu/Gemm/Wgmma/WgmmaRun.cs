using NanoFold.Kernels.Gpu.Gemm.Slices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>Launches a product by warpgroups: as many blocks as there are multiprocessors, or tiles where these are fewer; of clusters as many as that has whole ones.</summary>
internal static class WgmmaRun
{
    public static void Run<TDevice>(TDevice device, in GemmProblem problem, in GemmChoice choice)
        where TDevice : IGemmDevice
    {
        GemmTile tile = choice.Tile;
        GemmSpec spec = WgmmaGemm.Spec(problem) with { Mode = choice.Slices > 1 ? GemmMode.SumSlices : GemmMode.Batch };
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
            int columns = spec.HasPairs ? problem.N / 2 : problem.N;
            arguments.Y = Result(device, problem, problem.Y, columns, problem.StrideY);
            arguments.Residual = spec.Residual is null ? default : Result(device, problem, problem.Residual, columns, problem.StrideResidual);
            arguments.Up = spec.HasPairs ? Result(device, problem, problem.Y + ((long)columns * spec.Output.Size()), columns, problem.StrideY) : default;
        }

        // A cluster's tiles lie beneath one another and are counted as one.
        arguments.Product.TilesM = GemmProblem.Ceil(problem.M, tile.M * tile.Cluster);
        int tiles = arguments.Product.TilesM * arguments.Product.TilesN, parts = tiles;
        if (choice.Slices > 1)
        {
            (arguments.Product.SliceDepth, arguments.Product.Groups) = SliceRun.Slices(problem, choice);
            parts = checked(tiles * arguments.Product.Groups);
        }
        else if (tile.IsStream)
        {
            parts = checked(tiles * GemmProblem.Ceil(problem.K, WgmmaLayout.Depth));
        }

        int clusters = Math.Clamp(device.Multiprocessors / tile.Cluster, 1, parts);
        if (layout.HasParts)
        {
            SliceRun.AddMemory(device, ref arguments.Product, tile.IsStream ? StreamDepth.Places(clusters) : parts, tiles, tile, WgmmaLayout.Consumers * tile.Cluster);
        }

        device.Launch(new GemmKernelKey(GemmFamily.Wgmma, spec, tile), arguments, clusters * tile.Cluster, 1, 1);
    }

    private static TensorMap Operand<TDevice>(TDevice device, in GemmProblem problem, in WgmmaLayout layout, bool ofA)
        where TDevice : IGemmDevice
    {
        (int length, long address, long stride) = ofA ? (problem.M, problem.A, problem.StrideA) : (problem.N, problem.B, problem.StrideB);
        (int columns, int rows) = layout.Spec.IsDepthContiguous(ofA) ? (problem.K, length) : (length, problem.K);
        return device.Map(new TensorMapShape(problem.Input, address, columns, rows, RowBytes(stride, columns, problem.Input), layout.BoxRows(ofA)));
    }

    private static TensorMap Result<TDevice>(TDevice device, in GemmProblem problem, long address, int columns, long stride)
        where TDevice : IGemmDevice
        => device.Map(new TensorMapShape(problem.Output, address, columns, problem.M, RowBytes(stride, problem.N, problem.Output), WgmmaLayout.BoxRowsOfResult));

    /// <summary>A matrix of one row has no stride.</summary>
    private static long RowBytes(long stride, int columns, GpuType type) => stride > 0 ? stride : GemmProblem.Ceil(columns * type.Size(), 16) * 16L;
}
