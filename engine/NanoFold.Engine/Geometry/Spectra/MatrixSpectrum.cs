namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>All singular values of a matrix in single precision, by the eigenvalues of its smaller Gram matrix in double precision.</summary>
public static class MatrixSpectrum
{
    // Elements of a row that are held in double precision at a time.
    private const int Slab = 1024;

    /// <summary>σ², largest first, [min(M, N)]; rounding below 0 is 0.</summary>
    /// <param name="values">W, <c>[M, N]</c>, finite.</param>
    /// <param name="rows">M.</param>
    /// <param name="columns">N.</param>
    public static double[] Squares(ReadOnlySpan<float> values, int rows, int columns)
    {
        int least = Math.Min(rows, columns);
        return Array.ConvertAll(SymmetricEigenvalues.Of(Gram(values, rows, columns), least), value => Math.Max(0, value));
    }

    /// <summary>How many of the largest it takes until their sum is a share of all: k₉₀ for .9; 0 where all are 0.</summary>
    /// <param name="squares">Largest first.</param>
    /// <param name="share">In (0, 1].</param>
    public static int CountFor(ReadOnlySpan<double> squares, double share)
    {
        double all = 0, sum = 0;
        foreach (double square in squares)
        {
            all += square;
        }

        int count = 0;
        // Rounding must not ask for one that is not there.
        while (count < squares.Length && sum < share * all * (1 - 1e-12))
        {
            sum += squares[count++];
        }

        return count;
    }

    /// <summary>Bytes that the Gram matrix of a side of so many takes, with its eigenvalues.</summary>
    internal static double Bytes(int least) => sizeof(double) * (((double)Slab * least) + (4.0 * least * least));

    // WWᵀ or WᵀW, whichever is smaller: their eigenvalues other than 0 are the same, σ².
    private static double[] Gram(ReadOnlySpan<float> values, int rows, int columns)
    {
        int least = Math.Min(rows, columns), length = Math.Max(rows, columns), padded = GramTile.Pad(least);
        var panels = new double[padded * Math.Min(Slab, length)];
        var product = new double[padded * padded];
        for (int start = 0; start < length; start += Slab)
        {
            int count = Math.Min(Slab, length - start);
            Pack(values, rows <= columns, columns, start, count, least, panels);
            for (int i = 0; i < padded; i += GramTile.Width)
            {
                for (int j = 0; j <= i; j += GramTile.Width)
                {
                    GramTile.Add(
                        panels.AsSpan(i * count, GramTile.Width * count), panels.AsSpan(j * count, GramTile.Width * count), product.AsSpan((i * padded) + j), padded);
                }
            }
        }

        var gram = new double[least * least];
        for (int i = 0; i < least; i++)
        {
            product.AsSpan(i * padded, i + 1).CopyTo(gram.AsSpan(i * least));
        }

        return gram;
    }

    // Panels [count, 8] of the elements start … of each of the least rows or columns.
    private static void Pack(ReadOnlySpan<float> values, bool byRows, int columns, int start, int count, int least, double[] panels)
    {
        for (int which = 0; which < least; which++)
        {
            (int panel, int lane) = Math.DivRem(which, GramTile.Width);
            Span<double> to = panels.AsSpan((panel * GramTile.Width * count) + lane);
            for (int at = 0; at < count; at++)
            {
                to[at * GramTile.Width] = byRows ? values[(which * columns) + start + at] : values[((start + at) * columns) + which];
            }
        }
    }
}
