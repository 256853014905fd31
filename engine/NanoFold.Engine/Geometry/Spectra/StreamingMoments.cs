using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>
/// Mean and second central moments of rows <c>[N, D]</c> that arrive in batches, in double precision.
/// Blocks are centered on their own mean and joined with the pairwise update of Chan, Golub and LeVeque (1979):
/// <c>M = Mₐ + M_b + δδᵀ·nₐn_b/(nₐ + n_b)</c>, <c>δ = mean_b − mean_a</c>. Adding rows allocates nothing.
/// </summary>
public sealed class StreamingMoments
{
    private const int BlockRows = 128;

    private readonly int _stride;
    private readonly double[] _mean;
    private readonly double[] _moments; // [stride, stride]; panels on and above the diagonal are maintained
    private readonly double[] _blockMean;
    private readonly double[] _row;
    private readonly double[] _panels; // [stride / 8, BlockRows, 8]
    private bool _notFinite;

    /// <summary>Starts empty.</summary>
    /// <param name="dimension">D, the length of a row.</param>
    public StreamingMoments(int dimension)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        Dimension = dimension;
        _stride = GramTile.Pad(dimension);
        _mean = new double[_stride];
        _blockMean = new double[_stride];
        _row = new double[_stride];
        _moments = new double[checked(_stride * _stride)];
        _panels = new double[BlockRows * _stride];
    }

    /// <summary>Bytes of one for rows of a length, and of so many matrices [D, D] that are made of it.</summary>
    internal static double Bytes(int dimension, int matrices) =>
        sizeof(double) * ((((double)dimension + BlockRows + (3 * GramTile.Width)) * (dimension + GramTile.Width)) + ((double)matrices * dimension * dimension));

    /// <summary>D.</summary>
    public int Dimension { get; }

    /// <summary>Rows taken in so far. A block of up to 128 rows that holds a NaN or an infinity is not taken in.</summary>
    public long Count { get; private set; }

    /// <summary>The mean row, <c>[D]</c>.</summary>
    public ReadOnlySpan<double> Mean => _mean.AsSpan(0, Dimension);

    /// <summary>Whether the second moments have a meaning; <see cref="GeometryStatus.NotFinite"/> stays until <see cref="Clear"/>.</summary>
    public GeometryStatus Status
    {
        get
        {
            if (_notFinite)
            {
                return GeometryStatus.NotFinite;
            }

            if (Count < 2)
            {
                return GeometryStatus.TooFewPoints;
            }

            // Equal float rows leave at most rounding, (1e-16 |x|)² a coordinate; different ones at least (6e-8 |x|)²/N.
            double trace = Trace();
            bool constant = trace <= 1e-28 * Count * TensorPrimitives.SumOfSquares<double>(_mean);
            return constant ? GeometryStatus.ZeroVariance : GeometryStatus.Ok;
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Count = 0;
        _notFinite = false;
        Array.Clear(_mean);
        Array.Clear(_moments);
    }

    /// <summary>Takes in rows.</summary>
    /// <param name="rows"><c>[count, D]</c>, row-major.</param>
    /// <param name="count">Number of rows; 0 is allowed.</param>
    public void Add(ReadOnlySpan<float> rows, int count)
    {
        RowGuard.Shape(rows, count, Dimension);
        for (int first = 0; first < count; first += BlockRows)
        {
            int n = Math.Min(BlockRows, count - first);
            AddBlock(rows.Slice(first * Dimension, n * Dimension), n);
        }
    }

    /// <summary>Joins the rows that <paramref name="other"/> has seen, as if they had been added here.</summary>
    public void Merge(StreamingMoments other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Dimension != Dimension)
        {
            throw new ArgumentException($"Merge: D is {Dimension} here and {other.Dimension} in the other.");
        }

        _notFinite |= other._notFinite;
        if (other.Count == 0)
        {
            return;
        }

        // Read the other's count first: it may be this very instance.
        long n = other.Count;
        other._mean.CopyTo(_blockMean, 0);
        TensorPrimitives.Add<double>(_moments, other._moments, _moments);
        Shift(n);
    }

    /// <summary>The covariance matrix <c>[D, D]</c>, M/(N − 1), symmetric; zeros while N &lt; 2.</summary>
    public double[] Covariance()
    {
        double[] result = new double[checked(Dimension * Dimension)];
        double scale = Count > 1 ? 1.0 / (Count - 1) : 0;
        for (int i = 0; i < Dimension; i++)
        {
            for (int j = i; j < Dimension; j++)
            {
                double value = _moments[(i * _stride) + j] * scale;
                result[(i * Dimension) + j] = value;
                result[(j * Dimension) + i] = value;
            }
        }

        return result;
    }

    /// <summary>Eigenvalues of the covariance, largest first; empty unless <see cref="Status"/> is Ok.</summary>
    public double[] Eigenvalues() =>
        Status == GeometryStatus.Ok ? SymmetricEigenvalues.Of(Covariance(), Dimension) : [];

    /// <summary>The spectrum in a few figures.</summary>
    public SpectrumSummary Summarize()
    {
        GeometryStatus status = Status;
        return status == GeometryStatus.Ok
            ? SpectrumSummary.FromEigenvalues(Eigenvalues(), Count)
            : SpectrumSummary.Undefined(status, Count, Dimension);
    }

    private double Trace()
    {
        double sum = 0;
        for (int i = 0; i < Dimension; i++)
        {
            sum += _moments[(i * _stride) + i];
        }

        return sum;
    }

    private void AddBlock(ReadOnlySpan<float> rows, int n)
    {
        if (!RowGuard.AllFinite(rows))
        {
            _notFinite = true;
            return;
        }

        Span<double> row = _row.AsSpan(0, Dimension);
        Span<double> mean = _blockMean.AsSpan(0, Dimension);
        mean.Clear();
        for (int i = 0; i < n; i++)
        {
            TensorPrimitives.ConvertChecked(rows.Slice(i * Dimension, Dimension), row);
            TensorPrimitives.Add(mean, row, mean);
        }

        TensorPrimitives.Multiply(mean, 1.0 / n, mean);
        for (int i = 0; i < n; i++)
        {
            TensorPrimitives.ConvertChecked(rows.Slice(i * Dimension, Dimension), row);
            TensorPrimitives.Subtract(row, mean, row);
            Scatter(i, n);
        }

        int panelLength = n * GramTile.Width;
        for (int i = 0; i < _stride; i += GramTile.Width)
        {
            ReadOnlySpan<double> a = _panels.AsSpan(i * n, panelLength);
            for (int j = i; j < _stride; j += GramTile.Width)
            {
                GramTile.Add(a, _panels.AsSpan(j * n, panelLength), _moments.AsSpan((i * _stride) + j), _stride);
            }
        }

        Shift(n);
    }

    // The row's columns p, p + 1 … p + 7 go to line i of panel p / 8. Columns past D are zero in _row for good.
    private void Scatter(int i, int n)
    {
        for (int p = 0; p < _stride; p += GramTile.Width)
        {
            _row.AsSpan(p, GramTile.Width).CopyTo(_panels.AsSpan((p * n) + (i * GramTile.Width)));
        }
    }

    // Moments of both sides are summed already; what is left is the distance between the two means.
    private void Shift(long n)
    {
        long total = Count + n;
        Span<double> delta = _row;
        TensorPrimitives.Subtract<double>(_blockMean, _mean, delta);
        double weight = (double)Count / total * n;
        if (weight > 0)
        {
            for (int i = 0; i < Dimension; i++)
            {
                Span<double> line = _moments.AsSpan((i * _stride) + i, _stride - i);
                TensorPrimitives.MultiplyAdd(delta[i..], delta[i] * weight, line, line);
            }
        }

        TensorPrimitives.MultiplyAdd<double>(delta, (double)n / total, _mean, _mean);
        Count = total;
    }
}
