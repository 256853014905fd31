using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>Stores sums from registers: two adjacent columns of a row at a time, or one where rows of y are ragged.</summary>
internal static class WgmmaRows
{
    /// <param name="row">A lane's first row; it has also the one eight further, and the same in the next 64.</param>
    /// <param name="first">A lane's first column; it has two of every eight.</param>
    public static void Store(PtxWriter w, WgmmaLayout layout, GemmEpilogue epilogue, Reg row, Reg first, Reg[][] sums)
    {
        // Of each row of a lane the addresses, and how many columns are left: none where there is no such row.
        GemmSpec spec = layout.Spec;
        int count = spec.WideY ? 2 : 1;
        Reg left = w.Sub(GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.N)), first), rows = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.M));
        Reg[] own = [.. Enumerable.Range(0, 2 * sums.Length).Select(h => w.Add(row, 8 * (h % 2) + 64 * (h / 2)))];
        (Reg Y, Reg Residual, Reg Bias)[] at = [.. own.Select(r => epilogue.Addresses(r, first))];
        Reg[] leftOf = [.. own.Select(r => w.Select(w.Compare("lt", r, rows), left, 0))];
        for (int n = 0; n < layout.Tile.N; n += 8)
        {
            for (int part = 0; part < 2; part += count)
            {
                int column = n + part;
                Reg[] bias = Bias(w, spec, at[0].Bias, left, column, count);
                for (int half = 0; half < own.Length; half++)
                {
                    Reg inside = w.Compare("gt", leftOf[half], column);
                    Reg[] values = epilogue.Scale(bias, sums[half / 2].AsSpan(n / 2 + 2 * (half % 2) + part, count));
                    if (spec.Residual is { } type)
                    {
                        GemmElements.Round(w, spec.Output, values);
                        GemmElements.AddTo(w, values, GemmElements.Load(w, type, at[half].Residual, column * type.Size(), count, inside));
                    }

                    if (spec.Accumulate)
                    {
                        GemmElements.AddTo(w, values, GemmElements.Load(w, spec.Output, at[half].Y, column * spec.Output.Size(), count, inside));
                    }

                    GemmElements.Store(w, spec.Output, at[half].Y, column * spec.Output.Size(), values, inside);
                }
            }
        }
    }

    /// <summary>Of adjacent columns, each for itself: a bias may begin anywhere.</summary>
    private static Reg[] Bias(PtxWriter w, in GemmSpec spec, Reg address, Reg left, int column, int count)
    {
        if (spec.Bias is not { } type)
        {
            return [];
        }

        var bias = new Reg[count];
        for (int i = 0; i < count; i++)
        {
            bias[i] = GemmElements.Load(w, type, address, (column + i) * type.Size(), 1, w.Compare("gt", left, column + i))[0];
        }

        return bias;
    }
}
