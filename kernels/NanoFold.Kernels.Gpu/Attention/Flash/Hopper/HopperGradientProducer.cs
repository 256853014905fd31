using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>The role of the warp that copies in the backward pass: k and v of the block, then for each step q, dy, log-sum-exps and delta of its queries.</summary>
internal sealed class HopperGradientProducer(PtxWriter w, HopperGradientSpec spec, HopperKeys block)
{
    public void Write()
    {
        Reg barriers = w.Add(block.Shared, spec.BarriersAt);
        Expect(barriers, HopperGradientSpec.Fixed, 2 * spec.KeyBytes);
        Load(HopperArguments.AtK, block.KeyHead, block.First, block.Shared, 0, HopperGradientSpec.KeyPanelBytes, barriers, HopperGradientSpec.Fixed);
        Load(HopperArguments.AtV, block.KeyHead, block.First, block.Shared, spec.ValuesAt, HopperGradientSpec.KeyPanelBytes, barriers, HopperGradientSpec.Fixed);
        var ring = new PtxRing(w, spec.Ring, block.Shared, firstParity: 1);
        block.Walk((head, query) =>
        {
            Reg barrier = ring.Barrier(), tile = ring.Tile();
            w.WaitBarrier(barrier, spec.Empty, ring.Parity, "a stage's queries to be read");
            Expect(barrier, HopperGradientSpec.Full, spec.CopiedBytes);
            Load(HopperArguments.AtQ, head, query, tile, spec.QueriesAt, spec.QueryPanelBytes, barrier, HopperGradientSpec.Full);
            Load(HopperGradientArguments.AtDY, head, query, tile, spec.ResultsAt, spec.QueryPanelBytes, barrier, HopperGradientSpec.Full);
            Reg pair = w.Mad(block.Batch, FlashArguments.Read(w, nameof(FlashArguments.Heads)), head);
            Reg row = w.Shr(w.Mad(pair, FlashArguments.Read(w, nameof(FlashArguments.RowLength)), query), int.Log2(HopperGradientSpec.RowQueries)), x = w.Const(0);
            Reg bits = w.TensorMap(HopperGradientArguments.AtBits), delta = w.TensorMap(HopperGradientArguments.AtDelta);
            using (w.When(block.IsElected))
            {
                w.LoadTile(tile, spec.BitsAt, bits, x, row, barrier, HopperGradientSpec.Full);
                w.LoadTile(tile, spec.DeltaAt, delta, x, row, barrier, HopperGradientSpec.Full);
            }

            ring.Advance();
        });
    }

    private void Expect(Reg barrier, int offset, int bytes)
    {
        using (w.When(block.IsElected))
        {
            w.ArriveExpecting(barrier, offset, bytes);
        }
    }

    /// <summary>64 elements of rows at a time; what is after the head dimension, or after the last row, is zero.</summary>
    private void Load(int argument, Reg head, Reg row, Reg tile, int offset, int panelBytes, Reg barrier, int barrierOffset)
    {
        Reg map = w.TensorMap(argument);
        for (int panel = 0; panel < spec.Panels; panel++)
        {
            Reg x = w.Const(panel * TensorMapShape.BoxColumns);
            using (w.When(block.IsElected))
            {
                w.LoadTile(tile, offset + (panel * panelBytes), map, x, row, head, block.Batch, barrier, barrierOffset);
            }
        }
    }
}
