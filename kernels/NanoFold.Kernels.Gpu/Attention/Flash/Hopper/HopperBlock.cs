using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>What all roles of a block know: which queries of which head it has, and which keys these see.</summary>
internal sealed class HopperBlock
{
    /// <param name="w">Of the kernel, in which all threads meet here.</param>
    /// <param name="spec">Which kernel.</param>
    public HopperBlock(PtxWriter w, in HopperSpec spec)
    {
        Shared = w.SharedBase();
        Thread = w.ThreadX();
        IsElected = w.Elect();
        MakeBarriers(w, spec);
        w.WaitForEarlier();
        Pair = w.BlockX();
        Reg heads = FlashArguments.Read(w, nameof(FlashArguments.Heads));
        Batch = w.Div(Pair, heads);
        Head = w.Rem(Pair, heads);
        KeyHead = w.Div(Head, FlashArguments.Read(w, nameof(FlashArguments.GroupHeads)));
        Visible = new FlashVisible(w, spec.HasPrefix, Batch);
        Reg blocks = w.New(RegKind.B32);
        w.Emit($"mov.u32 {blocks}, %nctaid.y");

        // The longest rows begin first.
        First = w.Mul(w.Sub(w.Sub(blocks, 1), w.BlockY()), spec.Rows);
        Position = w.Add(First, Visible.Shift);
        Range = new FlashRange(w, Visible, spec.HasPrefix, spec.Documents, Position, spec.Rows);
    }

    public Reg Shared { get; }

    public Reg Thread { get; }

    /// <summary>One lane of each warp.</summary>
    public Reg IsElected { get; }

    /// <summary>Number of the head over all batch rows.</summary>
    public Reg Pair { get; }

    public Reg Batch { get; }

    public Reg Head { get; }

    public Reg KeyHead { get; }

    public FlashVisible Visible { get; }

    public FlashRange Range { get; }

    /// <summary>First query of the block.</summary>
    public Reg First { get; }

    /// <summary>Its position.</summary>
    public Reg Position { get; }

    private void MakeBarriers(PtxWriter w, HopperSpec spec)
    {
        Reg barriers = w.Add(Shared, spec.BarriersAt);
        using (w.When(w.Compare("eq", Thread, 0)))
        {
            for (int group = 0; group < spec.Consumers; group++)
            {
                w.InitBarrier(barriers, HopperSpec.Queries + 8 * group, 1);
            }

            for (int stage = 0; stage < spec.Stages; stage++)
            {
                w.InitBarrier(barriers, spec.FullKeys + 8 * stage, 1);
                w.InitBarrier(barriers, spec.EmptyKeys + 8 * stage, 4 * spec.Consumers);
                w.InitBarrier(barriers, spec.FullValues + 8 * stage, 1);
                w.InitBarrier(barriers, spec.EmptyValues + 8 * stage, 4 * spec.Consumers);
            }

            w.FenceBarrierInit();
        }

        w.Barrier();
    }
}
