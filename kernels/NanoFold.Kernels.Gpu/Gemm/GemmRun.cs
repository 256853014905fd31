using NanoFold.Kernels.Gpu.Gemm.Slices;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>Launches what a product needs, given a choice of kernel.</summary>
internal static class GemmRun
{
    public static void Run<TDevice>(TDevice device, in GemmProblem problem, in GemmChoice choice)
        where TDevice : IGemmDevice
    {
        if (choice.Family == GemmFamily.Wgmma)
        {
            WgmmaRun.Run(device, problem, choice);
            return;
        }

        if (choice.Slices > 1)
        {
            SliceRun.Run(device, problem, choice);
            return;
        }

        GemmArguments arguments = problem.Arguments(choice.Tile);
        (int x, int z) = problem.Mode switch
        {
            // Each group may leave one tile unfinished.
            GemmMode.RowGroups => ((problem.M / choice.Tile.M + problem.Groups) * arguments.TilesN, 1),
            GemmMode.DepthGroups => (arguments.TilesM * arguments.TilesN, problem.Groups),
            _ => (arguments.TilesM * arguments.TilesN, problem.Batch),
        };
        device.Launch(new GemmKernelKey(choice.Family, problem.Spec(), choice.Tile), arguments, x, 1, z);
    }

    /// <summary>As above, with the batch's dimensions beyond the two that a launch has.</summary>
    public static void Run<TDevice>(TDevice device, in GemmProblem problem, in GemmBatch batch, in GemmChoice choice)
        where TDevice : IGemmDevice
    {
        for (int i = 0; i < batch[2].Count; i++)
        {
            for (int j = 0; j < batch[3].Count; j++)
            {
                GemmProblem part = problem;
                part.A += i * batch[2].A + j * batch[3].A;
                part.B += i * batch[2].B + j * batch[3].B;
                part.Y += i * batch[2].Y + j * batch[3].Y;
                part.Residual += i * batch[2].Residual + j * batch[3].Residual;
                Run(device, part, choice);
            }
        }
    }
}

/// <summary>What runs kernels of products: a card, or in tests a machine that runs their text.</summary>
internal interface IGemmDevice
{
    /// <summary>Address of as many bytes that nobody else uses until the calls that follow are done; aligned to 256.</summary>
    long Scratch(long bytes);

    /// <summary>Address of as many integers that nobody else uses until the calls that follow are done: they are 0, and who uses them leaves them 0.</summary>
    long Counters(int count);

    /// <summary>Slices of a depth are added by a launch of their own.</summary>
    bool AddsSlicesApart => false;

    /// <summary>Blocks of which each can have a multiprocessor for itself.</summary>
    int Multiprocessors { get; }

    /// <summary>Address of the memory where kernels with bounded waits say what they waited for; 0: kernels wait for ever.</summary>
    long Watch => 0;

    /// <summary>How a kernel is told of a matrix that it copies by boxes.</summary>
    TensorMap Map(in TensorMapShape shape);

    void Launch<T>(in GemmKernelKey key, in T arguments, int gridX, int gridY, int gridZ)
        where T : unmanaged;
}
