using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>Stores dk and dv of a warp's keys, each where it is wanted, through the shared memory of its k and v: whole rows, added to what is there where that is asked for.</summary>
internal sealed class HopperKeyRows(PtxWriter w, HopperGradientSpec spec, HopperKeys block, HopperLane lane)
{
    /// <summary>Keys that a warp has, and stores at once.</summary>
    private const int WarpKeys = 16, Together = 4;

    /// <param name="sums">[64 keys, Width] of the warpgroup.</param>
    /// <param name="at">Offset of shared memory that nobody reads any more.</param>
    /// <param name="tensor">dk or dv among the arguments.</param>
    /// <param name="accumulate">Whether it is added to.</param>
    /// <param name="factor">Of the sums.</param>
    public void Store(Reg[] sums, int at, string tensor, string accumulate, Reg factor)
    {
        string unwanted = w.NewLabel();
        Reg address = FlashArguments.Read(w, RegKind.B64, tensor), isNone = w.New(RegKind.Predicate);
        w.Emit($"setp.eq.s64 {isNone}, {address}, 0");
        block.BranchIf(isNone, unwanted);
        for (int n = 0; n < spec.Width; n += 16)
        {
            var pairs = new Reg[4];
            for (int i = 0; i < pairs.Length; i++)
            {
                int from = (n / 2) + (2 * i);
                pairs[i] = w.Pack(spec.Type, w.Mul(sums[from], factor), w.Mul(sums[from + 1], factor));
            }

            w.StoreMatrix(w.Add(lane.Chunks[n / 16 % 4], block.Shared), at + (n / TensorMapShape.BoxColumns * HopperGradientSpec.KeyPanelBytes), pairs);
        }

        // Each lane has a chunk of every fourth row.
        w.WarpBarrier();
        Reg chunk = w.And(lane.Lane, 7), row = w.Shr(lane.Lane, 3), inGroup = w.Mad(lane.Warp, WarpKeys, row), key = w.Mad(lane.Warp, WarpKeys, w.Add(lane.GroupKey, row));
        Reg own = w.Add(w.Mad(w.Mad(lane.Group, HopperGradientSpec.GroupKeys, inGroup), PtxWgmma.RowBytes, block.Shared), w.Shl(w.Xor(chunk, row), 4)), other = w.Xor(own, 16 * Together);
        Reg adds = w.Compare("ne", FlashArguments.Read(w, accumulate), 0), column = w.Shl(chunk, 3), depth = FlashArguments.Read(w, nameof(FlashArguments.Depth));
        Reg stride = FlashTensor.Stride(w, tensor), rows = w.MadWide(chunk, 16, FlashTensor.Rows(w, tensor, block.Batch, block.KeyHead));
        for (int first = 0; first < WarpKeys; first += Together)
        {
            Reg ownKey = w.Add(key, first), target = w.MadWide(ownKey, stride, rows), isKey = w.Compare("lt", ownKey, block.Visible.Keys);
            for (int panel = 0; panel < spec.Panels; panel++)
            {
                int offset = panel * PtxWgmma.RowBytes;
                Reg isThere = w.Both(isKey, w.Compare("lt", w.Add(column, panel * TensorMapShape.BoxColumns), depth));
                Reg[] values = w.LoadShared(RegKind.B32, 4, first / Together % 2 == 0 ? own : other, at + (panel * HopperGradientSpec.KeyPanelBytes) + (first * PtxWgmma.RowBytes));
                values = FlashKernel.Sum(w, spec.Type, values, target, offset, w.Both(isThere, adds));
                using (w.When(isThere))
                {
                    w.StoreGlobal(target, offset, values);
                }
            }
        }

        w.Mark(unwanted);
    }
}
