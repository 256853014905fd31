using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>The role of a warp that fills stages with keys, or with values: it waits until a stage is empty, says how many bytes will come, and has one lane ask for them.</summary>
internal sealed class HopperProducer(PtxWriter w, HopperSpec spec, HopperBlock block)
{
    /// <summary>Copies the queries, those of each warpgroup for itself, then keys.</summary>
    public void WriteKeys()
    {
        Reg map = w.TensorMap(HopperArguments.AtQ), barriers = w.Add(block.Shared, spec.BarriersAt);
        for (int group = 0; group < spec.Consumers; group++)
        {
            int barrier = HopperSpec.Queries + 8 * group;
            Expect(barriers, barrier, spec.GroupBytes);
            Load(map, block.Head, w.Add(block.First, group * HopperSpec.GroupRows), block.Shared, group * spec.GroupBytes, HopperSpec.RowPanelBytes, barriers, barrier);
        }

        Write(HopperArguments.AtK, spec.KeysAt, spec.FullKeys, spec.EmptyKeys, "a stage's keys to be read");
    }

    public void WriteValues() => Write(HopperArguments.AtV, spec.ValuesAt, spec.FullValues, spec.EmptyValues, "a stage's values to be read");

    private void Write(int argument, int at, int full, int empty, string what)
    {
        Reg map = w.TensorMap(argument), key = w.New(RegKind.B32);
        var ring = new PtxRing(w, spec.Ring, block.Shared, firstParity: 1);
        w.Set(key, block.Range.Next(w.Const(0)));
        string next = w.NewLabel(), end = w.NewLabel();
        w.Mark(next);
        using (w.When(w.Compare("ge", key, block.Range.End)))
        {
            w.Branch(end);
        }

        Reg barrier = ring.Barrier();
        w.WaitBarrier(barrier, empty, ring.Parity, what);
        Expect(barrier, full, spec.StageBytes);
        Load(map, block.KeyHead, key, ring.Tile(), at, spec.ColumnPanelBytes, barrier, full);
        ring.Advance();
        w.Set(key, block.Range.Next(w.Add(key, spec.Columns)));
        w.Branch(next);
        w.Mark(end);
    }

    private void Expect(Reg barrier, int offset, int bytes)
    {
        using (w.When(block.IsElected))
        {
            w.ArriveExpecting(barrier, offset, bytes);
        }
    }

    /// <summary>64 elements of rows at a time; what is after the head dimension, or after the last row, is zero.</summary>
    private void Load(Reg map, Reg head, Reg row, Reg tile, int offset, int panelBytes, Reg barrier, int barrierOffset)
    {
        for (int panel = 0; panel < spec.Panels; panel++)
        {
            Reg x = w.Const(panel * TensorMapShape.BoxColumns);
            using (w.When(block.IsElected))
            {
                w.LoadTile(tile, offset + panel * panelBytes, map, x, row, head, block.Batch, barrier, barrierOffset);
            }
        }
    }
}
