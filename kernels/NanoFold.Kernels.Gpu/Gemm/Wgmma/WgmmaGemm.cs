using System.Runtime.CompilerServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>
/// Matrix products of bf16 and f16 operands by whole warpgroups (wgmma; sums in float), for compute capability 9.0 and no other. One warp copies tiles of a and b
/// by tensor maps through a ring of stages, two warpgroups multiply from shared memory, each one half of a tile's rows; a block goes on to the next tile without waiting for its stores.
/// Every layout of a and b is read as it lies. In clusters of blocks (<see cref="GemmTile.Cluster"/>) tiles beneath one another have the same columns of b: each block loads a part of them
/// into the shared memory of all, and a stage is filled again when the warps of all have read it. The depth may be split: see <see cref="WgmmaTiles"/>.
/// </summary>
/// <remarks>The scheme is that of NVIDIA's CUTLASS for this generation (warp-specialised, persistent), written anew.</remarks>
internal static class WgmmaGemm
{
    /// <summary>Registers of a thread that copies, and of one that multiplies: 128 · (24 + 2 · 240) are all that there are.</summary>
    private const int ProducerRegisters = 24, ConsumerRegisters = 240;

    /// <summary>The compute capability that has these instructions; later ones have not.</summary>
    public const int Architecture = 90;

    /// <summary>Until it has been measured to be faster on a card, it is used only where NANOFOLD_WGMMA is 1.</summary>
    public static bool IsAskedFor { get; } = Environment.GetEnvironmentVariable("NANOFOLD_WGMMA") == "1";

    /// <summary>Whether a product can be read by tensor maps: 16-bit operands at multiples of 16 bytes, one product at a time; where a formula or rotary positions are applied, y in whole stores too.</summary>
    public static bool Fits(in GemmProblem problem)
        => problem.Input != GpuType.Float32 && problem.Mode == GemmMode.Batch && problem.Batch == 1 && problem.K > 0
            && TensorMapShape.Allows(problem.Input, problem.A, problem.StrideA, problem.ColumnsA ? problem.M : problem.K, problem.ColumnsA ? problem.K : problem.M)
            && TensorMapShape.Allows(problem.Input, problem.B, problem.StrideB, problem.ColumnsB ? problem.K : problem.N, problem.ColumnsB ? problem.N : problem.K)
            && ((problem.Gate is null && problem.Rotation is null) || WgmmaLayout.IsTiled(Spec(problem)));

    /// <summary>Whether a tile works out for a kind of product: pairs of a gate and what it multiplies, and of turned columns, are in one tile.</summary>
    public static bool Fits(in GemmSpec spec, GemmTile tile)
        => !spec.IsFused || (tile.Cluster == 1 && !tile.IsStream && (!spec.HasPairs || (spec.ColumnsB && tile.N % (2 * TensorMapShape.BoxColumns) == 0)) && spec.Rotation?.Fits(tile) != false);

    /// <summary>The kind of kernel: results of an odd number of columns are not stored in pairs, but by tensor maps, and pairs have no biases there.</summary>
    public static GemmSpec Spec(in GemmProblem problem)
    {
        GemmSpec spec = problem.Spec();
        bool isWide = spec.WideY && (problem.N % 2 == 0 || (spec.Bias is null && WgmmaLayout.IsTiled(spec)))
            && TensorMapShape.Allows(problem.Output, problem.Y, problem.StrideY, problem.N, problem.M)
            && (problem.ResidualType is not { } type || TensorMapShape.Allows(type, problem.Residual, problem.StrideResidual, problem.N, problem.M));
        return spec with { AlignA = 16, AlignB = 16, RaggedDepth = false, WideY = isWide };
    }

    public static int SharedBytes(in GemmSpec spec, GemmTile tile) => new WgmmaLayout(spec, tile).SharedBytes;

    /// <param name="spec">What is computed.</param>
    /// <param name="tile">Its cut.</param>
    /// <param name="watched">Whether waits are bounded: see <see cref="PtxWatch"/>.</param>
    /// <param name="startsEarly">Whether it may be started while the kernel before it still runs.</param>
    public static PtxProgram Write(in GemmSpec spec, GemmTile tile, bool watched = false, bool startsEarly = false)
    {
        var layout = new WgmmaLayout(spec, tile);
        var w = new PtxWriter("gemm_wgmma", Architecture, WgmmaLayout.Threads, Unsafe.SizeOf<WgmmaArguments>(), 1)
        {
            IsForTargetOnly = true, ParameterAlign = WgmmaArguments.Align, Cluster = tile.Cluster, Watch = watched ? new PtxWatch(WgmmaArguments.AtWatch) : null,
            StartsEarly = startsEarly,
        };
        Reg thread = w.ThreadX(), shared = w.SharedBase(), isElected = w.Elect();
        MakeBarriers(w, layout, w.Add(shared, layout.BarriersAt), w.Compare("eq", thread, 0));
        w.WaitForEarlier();
        string producer = w.NewLabel(), end = w.NewLabel();
        using (w.When(w.Compare("lt", thread, 128)))
        {
            w.Branch(producer);
        }

        w.SetRegisters(ConsumerRegisters, isMore: true);
        new WgmmaConsumer(w, layout, shared, w.Sub(w.Shr(thread, 7), 1), isElected).Write(thread);
        w.Branch(end);

        w.Mark(producer);
        w.SetRegisters(ProducerRegisters, isMore: false);
        using (w.When(w.Compare("ge", thread, 32)))
        {
            w.Branch(end);
        }

        new WgmmaProducer(w, layout, shared, isElected).Write();
        w.LetNextStart();
        w.Mark(end);
        if (tile.Cluster > 1)
        {
            // Others may still hand stages back to this block.
            w.MeetCluster();
        }

        return w.Finish(layout.SharedBytes);
    }

    private static void MakeBarriers(PtxWriter w, WgmmaLayout layout, Reg barriers, Reg isFirst)
    {
        using (w.When(isFirst))
        {
            for (int stage = 0; stage < layout.Tile.Stages; stage++)
            {
                w.InitBarrier(barriers, WgmmaLayout.Full + 8 * stage, 1);
                w.InitBarrier(barriers, layout.Empty + 8 * stage, layout.EmptyCount);
            }

            for (int consumer = 0; consumer < layout.Residuals; consumer++)
            {
                w.InitBarrier(barriers, layout.ResidualOf + 8 * consumer, 1);
            }

            w.FenceBarrierInit();
        }

        if (layout.Cluster > 1)
        {
            w.MeetCluster();
            return;
        }

        w.Barrier();
    }
}
