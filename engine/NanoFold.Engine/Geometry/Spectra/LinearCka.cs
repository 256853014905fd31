using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>
/// Linear centered kernel alignment (Kornblith et al. 2019), biased and unbiased, over mini-batches: the three HSIC sums
/// are accumulated before dividing (Nguyen, Raghu and Kornblith 2021). Invariant to rotation, shift and scale.
/// The unbiased HSIC₁ (Song et al. 2012) with K = XXᵀ, L = YYᵀ and zeroed diagonals is
/// <c>[tr(K̃L̃) + ΣK̃·ΣL̃/((n−1)(n−2)) − 2·1ᵀK̃L̃1/(n−2)]/(n(n−3))</c>. On centered rows with a = ‖xᵢ‖², b = ‖yᵢ‖² the row
/// sums of K̃ are −a, so it needs only <c>tr(K̃L̃) = ‖XᵀY‖² − Σab</c> and sums of a and b: O(N·Dx·Dy), no N × N matrix.
/// </summary>
public sealed class LinearCka
{
    /// <summary>Rows below which the unbiased form is undefined.</summary>
    public const int LeastRows = 4;

    private Sums _unbiased;
    private Sums _biased;
    private long _points;
    private int _batches;
    private GeometryStatus _fault;

    /// <summary>One batch, measured alone.</summary>
    /// <param name="x"><c>[N, Dx]</c>.</param>
    /// <param name="dx">Dx.</param>
    /// <param name="y"><c>[N, Dy]</c>, the same rows in the other representation.</param>
    /// <param name="dy">Dy.</param>
    /// <param name="n">N.</param>
    public static CkaEstimate Between(ReadOnlySpan<float> x, int dx, ReadOnlySpan<float> y, int dy, int n)
    {
        LinearCka cka = new();
        cka.Add(x, dx, y, dy, n);
        return cka.Estimate();
    }

    /// <summary>Adds a batch. One that cannot be used (fewer than four rows, not finite) spoils the estimate, which says so.</summary>
    /// <param name="x"><c>[N, Dx]</c>.</param>
    /// <param name="dx">Dx.</param>
    /// <param name="y"><c>[N, Dy]</c>, the same rows in the other representation.</param>
    /// <param name="dy">Dy.</param>
    /// <param name="n">N, at least 4.</param>
    public void Add(ReadOnlySpan<float> x, int dx, ReadOnlySpan<float> y, int dy, int n)
    {
        RowGuard.Shape(x, n, dx);
        RowGuard.Shape(y, n, dy);
        _points += n;
        _batches++;
        if (n < LeastRows || !RowGuard.AllFinite(x) || !RowGuard.AllFinite(y))
        {
            _fault = n < LeastRows ? GeometryStatus.TooFewPoints : GeometryStatus.NotFinite;
            return;
        }

        CenteredColumns a = new(x, n, dx);
        CenteredColumns b = new(y, n, dy);
        Accumulate(a, b, ref _biased.Cross, ref _unbiased.Cross);
        if (!a.IsConstant)
        {
            Accumulate(a, a, ref _biased.First, ref _unbiased.First);
        }

        if (!b.IsConstant)
        {
            Accumulate(b, b, ref _biased.Second, ref _unbiased.Second);
        }
    }

    /// <summary>The alignment over all batches so far.</summary>
    public CkaEstimate Estimate()
    {
        GeometryStatus status = _fault != GeometryStatus.Ok ? _fault
            : _batches == 0 ? GeometryStatus.TooFewPoints
            : _unbiased.First > 0 && _unbiased.Second > 0 ? GeometryStatus.Ok
            : GeometryStatus.ZeroVariance;
        bool ok = status == GeometryStatus.Ok;
        return new CkaEstimate
        {
            Status = status,
            Points = _points,
            Batches = _batches,
            Unbiased = ok ? _unbiased.Ratio() : null,
            Biased = ok ? _biased.Ratio() : null,
        };
    }

    private static void Accumulate(CenteredColumns x, CenteredColumns y, ref double biased, ref double unbiased)
    {
        double n = x.Rows;
        double product = CenteredColumns.SquaredProduct(x, y);
        double both = TensorPrimitives.Dot<double>(x.SquaredNorms, y.SquaredNorms);
        double sums = TensorPrimitives.Sum<double>(x.SquaredNorms) * TensorPrimitives.Sum<double>(y.SquaredNorms);
        biased += product / ((n - 1) * (n - 1));
        unbiased += (product - both + (sums / ((n - 1) * (n - 2))) - (2 * both / (n - 2))) / (n * (n - 3));
    }

    private struct Sums
    {
        public double Cross;
        public double First;
        public double Second;

        public readonly double Ratio() => Cross / Math.Sqrt(First) / Math.Sqrt(Second);
    }
}

/// <summary>Similarity of two representations of the same rows. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record CkaEstimate
{
    /// <summary>TooFewPoints without a batch, ZeroVariance when one side is constant.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Rows over all batches.</summary>
    public required long Points { get; init; }

    /// <summary>Batches that the sums run over; fewer rows a batch make the biased form worse, the unbiased only noisier.</summary>
    public required int Batches { get; init; }

    /// <summary>About 0 for independent representations; can fall slightly below.</summary>
    public double? Unbiased { get; init; }

    /// <summary>The common form. For independent Gaussians about √(DxDy/((N + Dx)(N + Dy))), not 0.</summary>
    public double? Biased { get; init; }
}
