using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Mma;

/// <summary>The end of a product on tensor cores that turns heads by rotary positions: as <see cref="MmaResults"/>, of rows in whole stores, with both columns of a pair in the same warp's memory.</summary>
internal static class MmaRotatedResults
{
    public static void Write(PtxWriter w, in GemmSpec spec, GemmTile tile, MmaStaging staging, GemmBlock block, Reg warpRow, Reg warpColumn)
    {
        int count = 16 / spec.Output.Size(), lanes = tile.WarpN / count;
        staging.Begin();
        Reg own = w.Rem(staging.Lane, lanes), ownRow = w.Div(staging.Lane, lanes);
        var epilogue = new RotatedEpilogue(w, spec, block, w.Mad(own, count, w.Add(block.Column, warpColumn)), count);
        Reg read = w.Mad(ownRow, staging.Pitch, w.Mad(own, 4 * count, staging.Own)), row = w.Add(w.Add(block.Row, warpRow), ownRow);
        bool isInterleaved = spec.Rotation!.Value.IsInterleaved;
        Reg first = isInterleaved ? read : w.Mad(epilogue.Turn.ToFirst, sizeof(float), read), second = isInterleaved ? read : w.Mad(epilogue.Turn.ToSecond, sizeof(float), read);
        for (int m = 0; m < tile.WarpM / 16; m++)
        {
            staging.Stage(m);
            for (int r = 0; r < 16; r += 32 / lanes)
            {
                int offset = r * staging.Pitch;
                epilogue.Store(w.Add(row, 16 * m + r), isSecond => staging.Load(isSecond ? second : first, offset, count));
            }
        }
    }
}
