using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Mma;

/// <summary>
/// Where a product ends whose rows are logits: of each row and of a warp's columns the largest result, and beside it the sum of e^(result − largest), as they are rounded to y's type. So the
/// log-sum-exp of a row needs these few numbers, not the row again. Columns that are not there count nothing; of none the largest is <see cref="Least"/> and the sum 0.
/// </summary>
internal static class MmaRowSums
{
    /// <summary>As the loss has it.</summary>
    public const float Least = float.MinValue;

    /// <summary>Of a row of such a product.</summary>
    public static int Parts(GemmTile tile, int columns) => GemmProblem.Ceil(columns, tile.N) * (tile.N / tile.WarpN);

    /// <param name="w">Of the kernel.</param>
    /// <param name="spec">Its kind: without bias and residual.</param>
    /// <param name="tile">Its tile.</param>
    /// <param name="sums">Of the warp, as tensor cores have them; those of columns that are not there become −∞.</param>
    /// <param name="block">Where it works.</param>
    /// <param name="lane">Of the warp.</param>
    /// <param name="warpRow">First row of the warp in the block.</param>
    /// <param name="warpColumn">First column.</param>
    public static void Write(PtxWriter w, in GemmSpec spec, GemmTile tile, Reg[] sums, GemmBlock block, Reg lane, Reg warpRow, Reg warpColumn)
    {
        int tiles = tile.WarpN / 8;
        Reg column = w.Add(block.Column, warpColumn), row = w.Add(w.Add(block.Row, warpRow), w.Shr(lane, 2)), isStorer = w.Compare("eq", w.And(lane, 3), 0);
        HideOutside(w, sums, tiles, block, column, lane);
        Reg alpha = GemmArguments.Read(w, RegKind.F32, nameof(GemmArguments.Alpha)), parts = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.RowParts));
        Reg address = w.MadWide(w.Div(column, tile.WarpN), 2 * sizeof(float), GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.RowSums))), stride = w.Mul(parts, 2 * sizeof(float));
        for (int part = 0; part < tile.WarpM / 8; part++)
        {
            var values = new Reg[2 * tiles];
            for (int n = 0; n < tiles; n++)
            {
                int from = (((part / 2 * tiles) + n) * 4) + (part % 2 * 2);
                (values[2 * n], values[(2 * n) + 1]) = (w.Mul(sums[from], alpha), w.Mul(sums[from + 1], alpha));
            }

            GemmElements.Round(w, spec.Output, values);
            (Reg most, Reg sum) = Joined(w, values);
            Reg at = w.Add(row, 8 * part), isThere = w.Both(isStorer, w.Compare("lt", at, block.Rows)), target = w.MadWide(at, stride, address);
            using (w.When(isThere))
            {
                w.StoreGlobal(target, 0, most, sum);
            }
        }
    }

    // Only at the right edge, and for all lanes of a warp or none.
    private static void HideOutside(PtxWriter w, Reg[] sums, int tiles, GemmBlock block, Reg column, Reg lane)
    {
        string whole = w.NewLabel();
        using (w.When(w.Compare("le", w.Add(column, 8 * tiles), block.Columns)))
        {
            w.Branch(whole);
        }

        Reg left = w.Sub(w.Sub(block.Columns, column), w.Shl(w.And(lane, 3), 1));
        for (int i = 0; i < 2 * tiles; i++)
        {
            Reg isOutside = w.Compare("le", left, (i / 2 * 8) + (i % 2));
            for (int half = 0; half < sums.Length / (2 * tiles); half++)
            {
                Reg sum = sums[(((half / 2 * tiles) + (i / 2)) * 4) + (half % 2 * 2) + (i % 2)];
                w.Set(sum, w.Select(isOutside, float.NegativeInfinity, sum, RegKind.F32));
            }
        }

        w.Mark(whole);
    }

    // A row is that of four lanes; they join in a fixed order.
    private static (Reg Most, Reg Sum) Joined(PtxWriter w, Reg[] values)
    {
        Reg most = w.Max(values[0], Least), sum = w.Const(0f);
        foreach (Reg value in values.AsSpan(1))
        {
            most = w.Max(most, value);
        }

        most = w.Max(most, w.ShuffleXor(most, 1));
        most = w.Max(most, w.ShuffleXor(most, 2));
        const float Bits = 1.4426950408889634f;

        // No infinity where there are no columns, whose results are −∞: their exponentials are 0.
        Reg bits = w.Min(w.Mul(most, -Bits), float.MaxValue);
        foreach (Reg value in values)
        {
            sum = w.Add(sum, w.Exp2(w.Mad(value, Bits, bits)));
        }

        sum = w.Add(sum, w.ShuffleXor(sum, 1));
        return (most, w.Add(sum, w.ShuffleXor(sum, 2)));
    }
}
