using NanoFold.Engine.Geometry.Spectra;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>
/// How the streams of a token are mixed from the first sub-block of the model up to one: the product of the matrices that hyper-connections apply, of each
/// sampled token, the latest on the left.
/// </summary>
public sealed class MixingProduct
{
    private double[] _products = [];
    private double[] _next = [];

    /// <summary>n, 0 where nothing was mixed so far.</summary>
    public int Streams { get; private set; }

    /// <summary>N.</summary>
    public int Count { get; private set; }

    /// <summary>[N, n, n].</summary>
    public ReadOnlySpan<double> Values => _products.AsSpan(0, Count * Streams * Streams);

    /// <summary>Nothing is mixed yet.</summary>
    public void Begin() => Streams = 0;

    /// <summary>Multiplies with what comes next, [N, n, n].</summary>
    public void Then(ReadOnlySpan<float> matrices, int count)
    {
        int n = (int)Math.Round(Math.Sqrt(matrices.Length / (double)count));
        if (n * n * count != matrices.Length || (Streams > 0 && (n != Streams || count != Count)))
        {
            throw new ArgumentException($"mixing product: {matrices.Length} values are not {count} square matrices as before");
        }

        Array.Resize(ref _next, matrices.Length);
        for (int at = 0; at < matrices.Length; at += n * n)
        {
            for (int k = 0; k < n * n; k++)
            {
                double sum = Streams == 0 ? matrices[at + k] : 0;
                for (int j = 0; j < n && Streams > 0; j++)
                {
                    sum += matrices[at + (k / n * n) + j] * _products[at + (j * n) + (k % n)];
                }

                _next[at + k] = sum;
            }
        }

        (_products, _next, Streams, Count) = (_next, _products, n, count);
    }

    /// <summary>
    /// How much the products can amplify: the largest sum of |elements| of a row (what goes forward), of a column (what flows back; both as in arXiv 2512.24880), and the largest
    /// singular value. Means over tokens, and the largest row and column of all. 1 each where the matrices are doubly stochastic.
    /// </summary>
    public MixingGain Gain()
    {
        double forward = 0, backward = 0, spectral = 0, mostForward = 0, mostBackward = 0;
        int n = Streams;
        for (int at = 0; at < Values.Length; at += n * n)
        {
            double row = 0, column = 0;
            for (int i = 0; i < n; i++)
            {
                double ofRow = 0, ofColumn = 0;
                for (int j = 0; j < n; j++)
                {
                    ofRow += Math.Abs(_products[at + (i * n) + j]);
                    ofColumn += Math.Abs(_products[at + (j * n) + i]);
                }

                (row, column) = (Math.Max(row, ofRow), Math.Max(column, ofColumn));
            }

            (forward, backward) = (forward + row, backward + column);
            (mostForward, mostBackward) = (Math.Max(mostForward, row), Math.Max(mostBackward, column));
            spectral += SmallSingularValues.Of(Values.Slice(at, n * n), n)[0];
        }

        return new MixingGain(forward / Count, backward / Count, spectral / Count, mostForward, mostBackward);
    }

    /// <summary>The largest |Σ − 1| over the rows, and over the columns, of all tokens' products.</summary>
    public (double Rows, double Columns) FarthestFromOne()
    {
        double rows = 0, columns = 0;
        int n = Streams;
        for (int at = 0; at < Values.Length; at += n * n)
        {
            for (int i = 0; i < n; i++)
            {
                double row = 0, column = 0;
                for (int j = 0; j < n; j++)
                {
                    row += _products[at + (i * n) + j];
                    column += _products[at + (j * n) + i];
                }

                rows = Math.Max(rows, Math.Abs(row - 1));
                columns = Math.Max(columns, Math.Abs(column - 1));
            }
        }

        return (rows, columns);
    }
}

/// <summary>How much a mixing of streams can amplify.</summary>
/// <param name="Forward">Mean of the largest sum of |elements| of a row.</param>
/// <param name="Backward">Mean of the largest sum of |elements| of a column.</param>
/// <param name="Spectral">Mean of the largest singular value.</param>
/// <param name="MostForward">The largest row of all tokens.</param>
/// <param name="MostBackward">The largest column of all tokens.</param>
public readonly record struct MixingGain(double Forward, double Backward, double Spectral, double MostForward, double MostBackward);
