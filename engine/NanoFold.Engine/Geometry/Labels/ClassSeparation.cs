using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Labels;

/// <summary>
/// How far classes lie apart (Papyan, Han and Donoho 2020; Galanti, György and Hutter 2022). With class means μ_c, their plain mean μ, Σ_W the covariance within classes over all rows and
/// Σ_B the mean of (μ_c − μ)(μ_c − μ)ᵀ: NC1 = tr(Σ_W Σ_B⁺)/C; CDNV, the mean over pairs of classes of (v_i + v_j)/(2‖μ_i − μ_j‖²), v the variance of a class; both fall to 0 as
/// classes shrink to points. A simplex has cos(μ_i − μ, μ_j − μ) = −1/(C − 1). Figures are null when <see cref="Status"/> is not Ok.
/// </summary>
public sealed record ClassSeparation
{
    // Below this share of the largest, an eigenvalue of Σ_B is rounding.
    private const double LeastShare = 1e-10;

    /// <summary>TooFewPoints with fewer than two classes of two rows, ZeroVariance where class means do not differ, NotFinite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N, rows that have a class.</summary>
    public required int Points { get; init; }

    /// <summary>C.</summary>
    public required int Classes { get; init; }

    /// <summary>tr(Σ_W Σ_B⁺)/C.</summary>
    public double? Nc1 { get; init; }

    /// <summary>Mean over pairs of classes; null where two means are the same.</summary>
    public double? Cdnv { get; init; }

    /// <summary>Mean over pairs of classes of the cosine between their centered means.</summary>
    public double? MeanCosine { get; init; }

    /// <summary>Standard deviation of the same: 0 where all pairs stand alike.</summary>
    public double? CosineDeviation { get; init; }

    /// <summary>Of each row the class whose mean is nearest, on the rows that the means are of, [N].</summary>
    public IReadOnlyList<int> Nearest { get; init; } = [];

    /// <summary>Share of rows that are nearest to the mean of their own class, on the rows that the means are of.</summary>
    public double? NearestMean { get; init; }

    /// <summary>The same of every second row of each class, with means of the others.</summary>
    public double? NearestMeanHeldOut { get; init; }

    /// <summary>Measures classes.</summary>
    /// <param name="values"><c>[rows, D]</c>.</param>
    /// <param name="d">D.</param>
    /// <param name="sample">Which rows, of which classes.</param>
    public static ClassSeparation Measure(ReadOnlySpan<float> values, int d, ClassSample sample)
    {
        int n = sample.Rows.Length, count = sample.Count;
        double[] rows = Rows(values, d, sample);
        if (count < 2 || !TensorPrimitives.IsFiniteAll<double>(rows))
        {
            return new ClassSeparation { Status = count < 2 ? GeometryStatus.TooFewPoints : GeometryStatus.NotFinite, Points = n, Classes = count };
        }

        ClassMeans means = ClassMeans.Of(rows, d, sample.Classes, count, _ => true);
        double[] centers = means.Centered();
        // Eigenvalues of Σ_B that are not 0 are those of the products of the means, divided by C.
        double[] products = RowProducts.Of(centers, count, d);
        TensorPrimitives.Divide(products, count, products);
        (double[] shares, double[] vectors) = SymmetricEigenvectors.Of(products, count);
        if (!(shares[0] > 0))
        {
            return new ClassSeparation { Status = GeometryStatus.ZeroVariance, Points = n, Classes = count };
        }

        int[] nearest = [.. Enumerable.Range(0, n).Select(i => means.Nearest(rows.AsSpan(i * d, d)))];
        (double cosine, double deviation) = Cosines(centers, d);
        return new ClassSeparation
        {
            Status = GeometryStatus.Ok,
            Points = n,
            Classes = count,
            Nc1 = Nc1Of(rows, d, sample.Classes, means, centers, shares, vectors),
            Cdnv = CdnvOf(means.Variances(rows, sample.Classes), means),
            MeanCosine = cosine,
            CosineDeviation = deviation,
            Nearest = nearest,
            NearestMean = (double)nearest.Zip(sample.Classes).Count(pair => pair.First == pair.Second) / n,
            NearestMeanHeldOut = HeldOut(rows, d, sample),
        };
    }

    private static double[] Rows(ReadOnlySpan<float> values, int d, ClassSample sample)
    {
        var rows = new double[sample.Rows.Length * d];
        for (int i = 0; i < sample.Rows.Length; i++)
        {
            TensorPrimitives.ConvertChecked(values.Slice(sample.Rows[i] * d, d), rows.AsSpan(i * d, d));
        }

        return rows;
    }

    // Σ over eigenvectors v of Σ_B of vᵀΣ_W v / λ.
    private static double Nc1Of(double[] rows, int d, int[] classes, ClassMeans means, double[] centers, double[] shares, double[] vectors)
    {
        int count = shares.Length;
        double sum = 0;
        var direction = new double[d];
        for (int k = 0; k < count && shares[k] > LeastShare * shares[0]; k++)
        {
            Array.Clear(direction);
            for (int c = 0; c < count; c++)
            {
                TensorPrimitives.MultiplyAdd(centers.AsSpan(c * d, d), vectors[(k * count) + c], direction, direction);
            }

            TensorPrimitives.Divide(direction, TensorPrimitives.Norm<double>(direction), direction);
            double[] own = [.. Enumerable.Range(0, count).Select(c => TensorPrimitives.Dot<double>(means[c], direction))];
            double within = 0;
            for (int i = 0; i < classes.Length; i++)
            {
                double off = TensorPrimitives.Dot<double>(rows.AsSpan(i * d, d), direction) - own[classes[i]];
                within += off * off;
            }

            sum += within / classes.Length / shares[k];
        }

        return sum / count;
    }

    private static double? CdnvOf(double[] variances, ClassMeans means)
    {
        double sum = 0;
        int pairs = 0;
        for (int i = 0; i < variances.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                sum += (variances[i] + variances[j]) / (2 * ClassMeans.SquaredDistance(means[i], means[j]));
                pairs++;
            }
        }

        return double.IsFinite(sum) ? sum / pairs : null;
    }

    private static (double Mean, double Deviation) Cosines(double[] centers, int d)
    {
        int count = centers.Length / d;
        List<double> all = [];
        for (int i = 0; i < count; i++)
        {
            for (int j = 0; j < i; j++)
            {
                all.Add(TensorPrimitives.CosineSimilarity<double>(centers.AsSpan(i * d, d), centers.AsSpan(j * d, d)));
            }
        }

        double mean = all.Average();
        return (mean, Math.Sqrt(all.Average(one => (one - mean) * (one - mean))));
    }

    private static double? HeldOut(double[] rows, int d, ClassSample sample)
    {
        var seen = new int[sample.Count];
        bool[] isHeldOut = [.. sample.Classes.Select(one => seen[one]++ % 2 == 1)];
        ClassMeans means = ClassMeans.Of(rows, d, sample.Classes, sample.Count, i => !isHeldOut[i]);
        int right = 0, tested = 0;
        for (int i = 0; i < isHeldOut.Length; i++)
        {
            if (isHeldOut[i])
            {
                tested++;
                right += means.Nearest(rows.AsSpan(i * d, d)) == sample.Classes[i] ? 1 : 0;
            }
        }

        return tested > 0 ? (double)right / tested : null;
    }
}
