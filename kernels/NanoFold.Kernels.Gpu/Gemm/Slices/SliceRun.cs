using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Slices;

/// <summary>Launches products whose depth is split: by one kernel of which the last block of a tile adds all slices (<see cref="LastSum"/>), or by one that leaves them and one that adds them.</summary>
internal static class SliceRun
{
    /// <summary>Two launches, unless NANOFOLD_GPU_SLICES=joined: no card has measured yet what one gains.</summary>
    public static bool IsApart { get; } = Environment.GetEnvironmentVariable("NANOFOLD_GPU_SLICES") != "joined";

    /// <summary>Depth of a slice, in whole steps of the tile, and how many there are.</summary>
    public static (int Depth, int Count) Slices(in GemmProblem problem, in GemmChoice choice)
    {
        int step = choice.Tile.DepthBytes / problem.Input.Size(), depth = GemmProblem.Ceil(GemmProblem.Ceil(problem.K, choice.Slices), step) * step;
        return (depth, GemmProblem.Ceil(problem.K, depth));
    }

    /// <summary>What a kernel that adds up what blocks leave is told of the memory for it.</summary>
    /// <param name="places">For parts of tiles.</param>
    /// <param name="tiles">There are.</param>
    /// <param name="tile">Its size.</param>
    /// <param name="sets">Of threads in it that have a counter of their own.</param>
    public static void AddMemory<TDevice>(TDevice device, ref GemmArguments arguments, int places, int tiles, in GemmTile tile, int sets)
        where TDevice : IGemmDevice
    {
        arguments.Parts = device.Scratch((long)places * tile.M * tile.Cluster * tile.N * sizeof(float));
        arguments.Counters = device.Counters(tiles * sets);
    }

    public static void Run<TDevice>(TDevice device, in GemmProblem problem, in GemmChoice choice)
        where TDevice : IGemmDevice
    {
        if (choice.Family != GemmFamily.Mma || device.AddsSlicesApart)
        {
            RunApart(device, problem, choice);
            return;
        }

        (int depth, int slices) = Slices(problem, choice);
        GemmArguments arguments = problem.Arguments(choice.Tile);
        int tiles = arguments.TilesM * arguments.TilesN;
        (arguments.SliceDepth, arguments.Groups) = (depth, slices);
        AddMemory(device, ref arguments, tiles * slices, tiles, choice.Tile, 1);
        device.Launch(new GemmKernelKey(choice.Family, problem.Spec() with { Mode = GemmMode.SumSlices }, choice.Tile), arguments, tiles, 1, slices);
    }

    private static void RunApart<TDevice>(TDevice device, in GemmProblem problem, in GemmChoice choice)
        where TDevice : IGemmDevice
    {
        (int depth, int slices) = Slices(problem, choice);
        long rowBytes = GemmProblem.Ceil(problem.N, 4) * 16L, sliceBytes = rowBytes * problem.M;
        long sums = device.Scratch(sliceBytes * slices);

        GemmProblem part = problem;
        part.Y = sums;
        part.StrideY = rowBytes;
        part.OuterY = sliceBytes;
        part.Output = GpuType.Float32;
        part.Mode = GemmMode.SplitDepth;
        part.BiasType = part.ResidualType = null;
        part.Accumulate = false;
        part.Alpha = 1;
        GemmArguments arguments = part.Arguments(choice.Tile);
        arguments.SliceDepth = depth;
        device.Launch(new GemmKernelKey(choice.Family, part.Spec(), choice.Tile), arguments, arguments.TilesM * arguments.TilesN, 1, slices);

        GemmSpec spec = SliceSum.Spec(problem);
        arguments = problem.Arguments(choice.Tile);
        arguments.A = sums;
        arguments.StrideA = (int)rowBytes;
        arguments.OuterA = sliceBytes;
        arguments.Groups = slices;
        device.Launch(new GemmKernelKey(GemmFamily.Reduce, spec, default), arguments, SliceSum.Blocks(spec, problem.M, problem.N), 1, 1);
    }
}
