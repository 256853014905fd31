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
        double[] centers = Centered(means.Values, d);
        (double[] shares, double[] vectors) = SymmetricEigenvectors.Of(Gram(centers, d), count);
        if (!(shares[0] > 0))
        {
            return new ClassSeparation { Status = GeometryStatus.ZeroVariance, Points = n, Classes = count };
        }

        double[] variances = Variances(rows, d, sample.Classes, means);
        (double cosine, double deviation) = Cosines(centers, d);
        return new ClassSeparation
        {
            Status = GeometryStatus.Ok,
            Points = n,
            Classes = count,
            Nc1 = Nc1Of(rows, d, sample.Classes, means, centers, shares, vectors),
            Cdnv = CdnvOf(variances, means, d),
            MeanCosine = cosine,
            CosineDeviation = deviation,
            NearestMean = Nearest(rows, d, sample.Classes, means, _ => true),
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

    private static double[] Centered(double[] means, int d)
    {
        int count = means.Length / d;
        double[] centers = [.. means], mean = new double[d];
        for (int c = 0; c < count; c++)
        {
            TensorPrimitives.Add<double>(mean, means.AsSpan(c * d, d), mean);
        }

        TensorPrimitives.Divide(mean, count, mean);
        for (int c = 0; c < count; c++)
        {
            TensorPrimitives.Subtract<double>(centers.AsSpan(c * d, d), mean, centers.AsSpan(c * d, d));
        }

        return centers;
    }

    // [C, C], divided by C: its eigenvalues are those of Σ_B that are not 0.
    private static double[] Gram(double[] centers, int d)
    {
        int count = centers.Length / d;
        var gram = new double[count * count];
        for (int i = 0; i < count; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                gram[(i * count) + j] = gram[(j * count) + i] = TensorPrimitives.Dot<double>(centers.AsSpan(i * d, d), centers.AsSpan(j * d, d)) / count;
            }
        }

        return gram;
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
            double[] own = [.. Enumerable.Range(0, count).Select(c => TensorPrimitives.Dot<double>(means.Values.AsSpan(c * d, d), direction))];
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

    // Mean ‖x − μ_c‖² of each class.
    private static double[] Variances(double[] rows, int d, int[] classes, ClassMeans means)
    {
        var sums = new double[means.Counts.Length];
        for (int i = 0; i < classes.Length; i++)
        {
            sums[classes[i]] += SquaredDistance(rows.AsSpan(i * d, d), means.Values.AsSpan(classes[i] * d, d));
        }

        for (int c = 0; c < sums.Length; c++)
        {
            sums[c] /= means.Counts[c];
        }

        return sums;
    }

    private static double? CdnvOf(double[] variances, ClassMeans means, int d)
    {
        double sum = 0;
        int pairs = 0;
        for (int i = 0; i < variances.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                sum += (variances[i] + variances[j]) / (2 * SquaredDistance(means.Values.AsSpan(i * d, d), means.Values.AsSpan(j * d, d)));
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
        return Nearest(rows, d, sample.Classes, means, i => isHeldOut[i]);
    }

    private static double? Nearest(double[] rows, int d, int[] classes, ClassMeans means, Func<int, bool> isTested)
    {
        int right = 0, tested = 0;
        for (int i = 0; i < classes.Length; i++)
        {
            if (isTested(i))
            {
                tested++;
                right += means.Nearest(rows.AsSpan(i * d, d)) == classes[i] ? 1 : 0;
            }
        }

        return tested > 0 ? (double)right / tested : null;
    }

    private static double SquaredDistance(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double distance = TensorPrimitives.Distance(a, b);
        return distance * distance;
    }
}

/// <summary>The means of classes, [C, D].</summary>
/// <param name="Values">Row-major.</param>
/// <param name="Counts">Rows of each.</param>
internal sealed record ClassMeans(double[] Values, int[] Counts)
{
    public static ClassMeans Of(double[] rows, int d, int[] classes, int count, Func<int, bool> isTaken)
    {
        var means = new ClassMeans(new double[count * d], new int[count]);
        for (int i = 0; i < classes.Length; i++)
        {
            if (isTaken(i))
            {
                Span<double> mean = means.Values.AsSpan(classes[i] * d, d);
                TensorPrimitives.Add(mean, rows.AsSpan(i * d, d), mean);
                means.Counts[classes[i]]++;
            }
        }

        for (int c = 0; c < count; c++)
        {
            Span<double> mean = means.Values.AsSpan(c * d, d);
            TensorPrimitives.Divide(mean, Math.Max(1, means.Counts[c]), mean);
        }

        return means;
    }

    /// <summary>The class whose mean is nearest.</summary>
    public int Nearest(ReadOnlySpan<double> x)
    {
        int nearest = -1, d = x.Length;
        double least = double.PositiveInfinity;
        for (int c = 0; c < Counts.Length; c++)
        {
            double distance = Counts[c] > 0 ? TensorPrimitives.Distance(x, Values.AsSpan(c * d, d)) : double.PositiveInfinity;
            if (distance < least)
            {
                (nearest, least) = (c, distance);
            }
        }

        return nearest;
    }
}
