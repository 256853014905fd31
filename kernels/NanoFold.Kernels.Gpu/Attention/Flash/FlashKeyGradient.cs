using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>dk and dv of a block of keys. Grid: batch · key head, block of keys.</summary>
internal sealed class FlashKeyGradient : FlashKeys
{
    private FlashKeyGradient(in FlashSpec spec)
        : base(spec, w => (w.BlockX(), w.BlockY()))
    {
    }

    public static PtxProgram Write(in FlashSpec spec) => new FlashKeyGradient(spec).Write();

    private PtxProgram Write()
    {
        Walk((_, query, stage) =>
        {
            string hidden = W.NewLabel();
            BranchIf(IsHidden(query), hidden);
            Reg[] gradients = ScoreGradients(query, stage);
            AddKeyGradients(i => Packed(gradients, i), stage);
            W.Mark(hidden);
        });
        StoreRows();
        return W.Finish(Bytes(Spec));
    }
}
