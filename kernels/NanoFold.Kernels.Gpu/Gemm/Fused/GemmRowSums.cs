using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Fused;

/// <summary>
/// Where a product ends whose rows are logits: of each row and of a warp's columns the largest result, and beside it the sum of e^(result − largest), as they are rounded to y's type. So the
/// log-sum-exp of a row needs these few numbers, not the row again. Columns that are not there count nothing; of none the largest is <see cref="Least"/> and the sum 0.
/// </summary>
internal static class GemmRowSums
{
    /// <summary>As the loss has it.</summary>
    public const float Least = float.MinValue;

    /// <summary>Of a row of such a product.</summary>
    public static int Parts(GemmTile tile, int columns) => GemmProblem.Ceil(columns, tile.N) * (tile.N / tile.WarpN);

    /// <param name="w">Of the kernel.</param>
    /// <param name="spec">Its kind: without bias and residual.</param>
    /// <param name="sums">Of a warp, as tensor cores have them: of 16 rows at a time; those of columns that are not there become −∞.</param>
    /// <param name="step">From such rows to the next.</param>
    /// <param name="place">Its first row and column, and how many of y there are.</param>
    /// <param name="lane">Of the warp.</param>
    public static void Write(PtxWriter w, in GemmSpec spec, Reg[][] sums, int step, Place place, Reg lane)
    {
        int tiles = sums[0].Length / 4;
        Reg row = w.Add(place.Row, w.Shr(lane, 2)), isStorer = w.Compare("eq", w.And(lane, 3), 0);
        HideOutside(w, sums, tiles, place, lane);
        Reg alpha = GemmArguments.Read(w, RegKind.F32, nameof(GemmArguments.Alpha)), parts = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.RowParts));
        Reg address = w.MadWide(w.Div(place.Column, 8 * tiles), 2 * sizeof(float), GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.RowSums))), stride = w.Mul(parts, 2 * sizeof(float));
        for (int part = 0; part < 2 * sums.Length; part++)
        {
            var values = new Reg[2 * tiles];
            for (int n = 0; n < tiles; n++)
            {
                int from = (n * 4) + (part % 2 * 2);
                (values[2 * n], values[(2 * n) + 1]) = (w.Mul(sums[part / 2][from], alpha), w.Mul(sums[part / 2][from + 1], alpha));
            }

            GemmElements.Round(w, spec.Output, values);
            (Reg most, Reg sum) = Joined(w, values);
            Reg at = w.Add(row, (part / 2 * step) + (part % 2 * 8)), isThere = w.Both(isStorer, w.Compare("lt", at, place.Rows)), target = w.MadWide(at, stride, address);
            using (w.When(isThere))
            {
                w.StoreGlobal(target, 0, most, sum);
            }
        }
    }

    /// <summary>Where a warp works.</summary>
    internal readonly record struct Place(Reg Row, Reg Column, Reg Rows, Reg Columns);

    // Only at the right edge, and for all lanes of a warp or none.
    private static void HideOutside(PtxWriter w, Reg[][] sums, int tiles, Place place, Reg lane)
    {
        string whole = w.NewLabel();
        using (w.When(w.Compare("le", w.Add(place.Column, 8 * tiles), place.Columns)))
        {
            w.Branch(whole);
        }

        Reg left = w.Sub(w.Sub(place.Columns, place.Column), w.Shl(w.And(lane, 3), 1));
        for (int i = 0; i < 2 * tiles; i++)
        {
            Reg isOutside = w.Compare("le", left, (i / 2 * 8) + (i % 2));
            for (int half = 0; half < 2 * sums.Length; half++)
            {
                Reg sum = sums[half / 2][(i / 2 * 4) + (half % 2 * 2) + (i % 2)];
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
