using System.Numerics.Tensors;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Double;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>
/// In how many directions paired rows were moved: the spectrum of their shifts δ = y − x, centered, with k₉₀, the directions that hold 90 % of the variance, and whether they
/// are directions of the shift or of the draw: how much of the other half's variance those of one half hold, beside a random subspace.
/// </summary>
public sealed record ShiftSpectrum
{
    private const int Groups = 5;
    private const double Share = 0.9;

    /// <summary>Why figures are there or not.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>λ, largest first, [D].</summary>
    public double[] Eigenvalues { get; init; } = [];

    /// <summary>In a few figures.</summary>
    public SpectrumSummary? Summary { get; init; }

    /// <summary>k₉₀.</summary>
    public int K90 { get; init; }

    /// <summary>Its standard error by the jackknife over five groups of rows.</summary>
    public double? K90Error { get; init; }

    /// <summary>The share of a half's variance in the first k₉₀ directions of the other half, mean over both ways.</summary>
    public double? HeldOutShare { get; init; }

    /// <summary>What a random subspace of as many dimensions holds, with its standard deviation.</summary>
    public (double Mean, double Deviation) RandomShare { get; init; }

    /// <summary>Measures shifts <c>[N, D]</c>.</summary>
    public static ShiftSpectrum Of(ReadOnlySpan<float> shifts, int count, int width)
    {
        StreamingMoments[] groups = [.. Enumerable.Range(0, Groups).Select(_ => new StreamingMoments(width))], halves = [new(width), new(width)];
        for (int i = 0; i < count; i++)
        {
            groups[i % Groups].Add(shifts.Slice(i * width, width), 1);
            halves[i % 2].Add(shifts.Slice(i * width, width), 1);
        }

        StreamingMoments all = Merged(groups, -1, width);
        // Every part must have a spectrum.
        GeometryStatus status = all.Status != GeometryStatus.Ok ? all.Status : count < 2 * Groups ? GeometryStatus.TooFewPoints : width < 2 ? GeometryStatus.Degenerate
            : halves.Select(half => half.Status).FirstOrDefault(one => one != GeometryStatus.Ok, GeometryStatus.Ok);
        if (status != GeometryStatus.Ok)
        {
            return new ShiftSpectrum { Status = status };
        }

        double[] eigenvalues = Clean(all.Eigenvalues());
        double[] without = [.. Enumerable.Range(0, Groups).Select(left => (double)MatrixSpectrum.CountFor(Clean(Merged(groups, left, width).Eigenvalues()), Share))];
        double mean = without.Average();
        int k = MatrixSpectrum.CountFor(eigenvalues, Share);
        return new ShiftSpectrum
        {
            Status = GeometryStatus.Ok,
            Eigenvalues = eigenvalues,
            Summary = SpectrumSummary.FromEigenvalues(eigenvalues, count),
            K90 = k,
            K90Error = Math.Sqrt((Groups - 1.0) / Groups * without.Sum(value => (value - mean) * (value - mean))),
            HeldOutShare = (Held(halves[0], halves[1], k) + Held(halves[1], halves[0], k)) / 2,
            RandomShare = RandomSpectra.SubspaceShare(k, eigenvalues),
        };
    }

    // All groups but one.
    private static StreamingMoments Merged(StreamingMoments[] groups, int left, int width)
    {
        var merged = new StreamingMoments(width);
        for (int i = 0; i < groups.Length; i++)
        {
            if (i != left)
            {
                merged.Merge(groups[i]);
            }
        }

        return merged;
    }

    private static double[] Clean(double[] eigenvalues) => Array.ConvertAll(eigenvalues, value => Math.Max(0, value));

    // Σ uᵀCu/tr C over the first k directions u of the fitted half, C of the other.
    private static double Held(StreamingMoments fitted, StreamingMoments tested, int k)
    {
        int d = fitted.Dimension;
        double[] covariance = tested.Covariance();
        // All vectors of a matrix as wide as the stream: SymmetricEigenvectors is for small ones.
        Matrix<double> vectors = new DenseMatrix(d, d, fitted.Covariance()).Evd(Symmetricity.Symmetric).EigenVectors;
        double held = 0, all = 0;
        for (int i = 0; i < d; i++)
        {
            all += covariance[(i * d) + i];
        }

        for (int which = d - k; which < d; which++)
        {
            // Of ascending eigenvalues.
            double[] u = vectors.Column(which).ToArray();
            for (int i = 0; i < d; i++)
            {
                held += u[i] * TensorPrimitives.Dot<double>(covariance.AsSpan(i * d, d), u);
            }
        }

        return held / all;
    }
}
