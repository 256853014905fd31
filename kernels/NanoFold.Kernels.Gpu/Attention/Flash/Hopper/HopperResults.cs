using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>What a warpgroup does in the end: log-sum-exps from registers, y through the memory of its queries and a tensor map.</summary>
internal sealed class HopperResults(PtxWriter w, HopperSpec spec, HopperBlock block, Reg group, Reg warp, Reg lane, Reg firstRow, Reg rowOfLane, Reg columnOfLane)
{
    public void Store(FlashSoftmax softmax, Reg[] output)
    {
        Reg[] factors = softmax.Finish(block.Pair, rowOfLane, w.Compare("eq", columnOfLane, 0), block.Visible.Time);
        Reg tile = w.Mad(group, spec.GroupBytes, block.Shared), isStorer = w.Both(block.IsElected, w.Compare("eq", warp, 0));

        // A lane's row of the matrices that it addresses, and the first of its chunks in each 16 columns of a panel.
        Reg row = w.Mad(w.Mad(warp, 16, w.And(lane, 15)), PtxWgmma.RowBytes, tile), half = w.Shr(lane, 4), inEight = w.And(lane, 7);
        Reg[] chunks = [.. Enumerable.Range(0, 4).Select(i => w.Mad(w.Xor(w.Add(half, 2 * i), inEight), 16, row))];

        // Products of all its warps have read the queries.
        Meet();
        for (int n = 0; n < spec.Width; n += 16)
        {
            var pairs = new Reg[4];
            for (int i = 0; i < pairs.Length; i++)
            {
                int from = n / 2 + 2 * i;
                pairs[i] = w.Pack(spec.Type, w.Mul(output[from], factors[i % 2]), w.Mul(output[from + 1], factors[i % 2]));
            }

            w.StoreMatrix(chunks[n / 16 % 4], n / TensorMapShape.BoxColumns * HopperSpec.RowPanelBytes, pairs);
        }

        w.FenceAsync();
        Meet();
        Reg map = w.TensorMap(HopperArguments.AtY);
        for (int panel = 0; panel < spec.Panels; panel++)
        {
            Reg x = w.Const(panel * TensorMapShape.BoxColumns);
            using (w.When(isStorer))
            {
                w.StoreTile(map, x, firstRow, block.Head, block.Batch, tile, panel * HopperSpec.RowPanelBytes);
            }
        }

        using (w.When(isStorer))
        {
            w.CommitStores();
            w.WaitStores();
        }
    }

    /// <summary>The warpgroup's four warps meet.</summary>
    private void Meet() => w.Barrier(w.Add(group, 1), 128);
}
