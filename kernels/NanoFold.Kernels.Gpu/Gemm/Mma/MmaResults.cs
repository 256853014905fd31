using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Mma;

/// <summary>The end of a product on tensor cores: a warp's sums become rows of y.</summary>
internal static class MmaResults
{
    public static void Write(PtxWriter w, in GemmSpec spec, GemmTile tile, MmaStaging staging, GemmBlock block, Reg warpRow, Reg warpColumn)
    {
        var epilogue = new GemmEpilogue(w, spec, block);
        staging.Begin();
        Reg row = w.Add(block.Row, warpRow), column = w.Add(block.Column, warpColumn), lane = staging.Lane;
        string narrow = w.NewLabel(), end = w.NewLabel();
        if (spec.WideY)
        {
            int count = 16 / spec.Output.Size(), lanes = tile.WarpN / count;
            epilogue.BranchUnlessWhole(block.Column, tile.N, count, narrow);
            Reg own = w.Rem(lane, lanes), ownRow = w.Div(lane, lanes);
            GemmEpilogue.Place place = epilogue.At(w.Mad(own, count, column), count, check: true);
            Reg read = w.Mad(ownRow, staging.Pitch, w.Mad(own, 4 * count, staging.Own));
            for (int m = 0; m < tile.WarpM / 16; m++)
            {
                staging.Stage(m);
                for (int r = 0; r < 16; r += 32 / lanes)
                {
                    epilogue.Store(place, w.Add(w.Add(row, ownRow), 16 * m + r), staging.Load(read, r * staging.Pitch, count));
                }
            }

            w.Branch(end);
            w.Mark(narrow);
        }

        Reg readOne = w.Mad(lane, 4, staging.Own);
        for (int m = 0; m < tile.WarpM / 16; m++)
        {
            staging.Stage(m);
            for (int c = 0; c < tile.WarpN; c += 32)
            {
                GemmEpilogue.Place place = epilogue.At(w.Add(w.Add(column, lane), c), 1, check: true);
                Reg r = w.New(RegKind.B32), from = w.New(RegKind.B32);
                w.Set(r, 0);
                w.Set(from, w.Add(readOne, 4 * c));
                string rows = w.NewLabel();
                w.Mark(rows);
                epilogue.Store(place, w.Add(w.Add(row, 16 * m), r), staging.Load(from, 0, 1));
                w.Set(r, w.Add(r, 1));
                w.Set(from, w.Add(from, staging.Pitch));
                using (w.When(w.Compare("lt", r, 16)))
                {
                    w.Branch(rows);
                }
            }
        }

        w.Mark(end);
    }
}
