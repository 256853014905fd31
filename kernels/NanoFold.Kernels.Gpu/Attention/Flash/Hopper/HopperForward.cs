using System.Runtime.CompilerServices;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>
/// Attention forward by warpgroups (wgmma; 16-bit types, sums in float), for compute capability 9.0 and no other: y = softmax(scale · q kᵀ) v with the online softmax, and the log-sum-exp.
/// Two warps copy keys and values by tensor maps through a ring of stages; two or three warpgroups, each with 64 queries, multiply from shared memory, weights from registers.
/// Grid: batch · head, block of queries.
/// </summary>
/// <remarks>The scheme is that of FlashAttention-3 (arXiv 2407.08608) without its turns between warpgroups, written anew.</remarks>
internal static class HopperForward
{
    /// <param name="spec">Which kernel.</param>
    /// <param name="watched">Whether waits are bounded: see <see cref="PtxWatch"/>.</param>
    public static PtxProgram Write(in HopperSpec spec, bool watched = false)
    {
        var w = new PtxWriter(spec.Name, WgmmaGemm.Architecture, spec.Threads, Unsafe.SizeOf<HopperArguments>(), 1)
        {
            IsForTargetOnly = true, ParameterAlign = HopperArguments.Align, Watch = watched ? new PtxWatch(HopperArguments.AtWatch) : null, StartsEarly = spec.StartsEarly,
        };
        var block = new HopperBlock(w, spec);
        string producer = w.NewLabel(), values = w.NewLabel(), end = w.NewLabel();
        using (w.When(w.Compare("lt", block.Thread, 128)))
        {
            w.Branch(producer);
        }

        w.SetRegisters(spec.Registers.Consumer, isMore: true);
        new HopperConsumer(w, spec, block).Write();
        w.Branch(end);

        w.Mark(producer);
        w.SetRegisters(spec.Registers.Producer, isMore: false);
        using (w.When(w.Compare("ge", block.Thread, 64)))
        {
            w.Branch(end);
        }

        var copies = new HopperProducer(w, spec, block);
        using (w.When(w.Compare("ge", block.Thread, 32)))
        {
            w.Branch(values);
        }

        copies.WriteKeys();
        w.Branch(end);
        w.Mark(values);
        copies.WriteValues();
        w.LetNextStart();
        w.Mark(end);
        return w.Finish(spec.SharedBytes);
    }
}
