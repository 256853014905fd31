using System.Runtime.CompilerServices;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>
/// Attention backward by warpgroups (wgmma; 16-bit types, sums in float), for compute capability 9.0 and no other. With p = exp(scale · k qᵀ − log-sum-exp) and s = p ⊙ (v dyᵀ − delta), key by query:
/// dv = Σ p dy, dk = scale · Σ s q, and dq = scale · Σ sᵀ k, to which blocks of keys add by turns (<see cref="FlashTurns"/>), so that it has the same bits each time.
/// One warp copies queries by tensor maps through a ring of stages; two warpgroups, each with 64 keys, multiply from shared memory, p and s for dv and dk from registers. Grid: batch · key head · block of keys.
/// </summary>
/// <remarks>The scheme is that of FlashAttention-3's backward pass (arXiv 2407.08608), written anew, with turns in place of sums in any order.</remarks>
internal static class HopperGradients
{
    /// <summary>Registers of a thread that copies, and of one that computes: 128 · (24 + 2 · 240) are all that there are.</summary>
    private const int ProducerRegisters = 24, ConsumerRegisters = 240;

    /// <param name="spec">Which kernel.</param>
    /// <param name="watched">Whether waits for barriers are bounded: see <see cref="PtxWatch"/>.</param>
    public static PtxProgram Write(in HopperGradientSpec spec, bool watched = false)
    {
        var w = new PtxWriter(spec.Name, WgmmaGemm.Architecture, HopperGradientSpec.Threads, Unsafe.SizeOf<HopperGradientArguments>(), 1)
        {
            IsForTargetOnly = true, ParameterAlign = HopperArguments.Align, Watch = watched ? new PtxWatch(HopperArguments.AtWatch) : null, StartsEarly = spec.StartsEarly,
        };
        var block = new HopperKeys(w, spec);
        string producer = w.NewLabel(), end = w.NewLabel();
        block.BranchIf(w.Compare("lt", block.Thread, HopperGradientSpec.Threads - HopperGradientSpec.ConsumerThreads), producer);
        w.SetRegisters(ConsumerRegisters, isMore: true);
        new HopperGradientConsumer(w, spec, block).Write();
        w.Branch(end);

        w.Mark(producer);
        w.SetRegisters(ProducerRegisters, isMore: false);
        block.BranchIf(w.Compare("ge", block.Thread, 32), end);
        new HopperGradientProducer(w, spec, block).Write();
        w.LetNextStart();
        w.Mark(end);
        return w.Finish(spec.SharedBytes);
    }
}
