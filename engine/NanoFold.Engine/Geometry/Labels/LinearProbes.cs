using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Labels;

/// <summary>
/// Whether classes can be read from rows by a linear map: accuracy on rows that were held back, of ridge regression to one-hot classes and of multinomial logistic regression, each also with
/// the classes of the training rows shuffled, which shows what a probe of this size finds where there is nothing (Hewitt and Liang 2019). Null when <see cref="Status"/> is not Ok.
/// </summary>
public sealed record LinearProbes
{
    private const int Rounds = 60;

    /// <summary>TooFewPoints with fewer than two classes to train on or nothing to test, NotFinite, ZeroVariance.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Rows trained on.</summary>
    public required int Trained { get; init; }

    /// <summary>Rows held back.</summary>
    public required int Tested { get; init; }

    /// <summary>C.</summary>
    public required int Classes { get; init; }

    /// <summary>Accuracy of ridge regression.</summary>
    public double? Ridge { get; init; }

    /// <summary>The same with shuffled classes.</summary>
    public double? RidgeShuffled { get; init; }

    /// <summary>Accuracy of logistic regression.</summary>
    public double? Logistic { get; init; }

    /// <summary>The same with shuffled classes.</summary>
    public double? LogisticShuffled { get; init; }

    /// <summary>Accuracy of the class that is most frequent among the rows trained on.</summary>
    public double? Majority { get; init; }

    /// <summary>Trains and tests.</summary>
    /// <param name="values"><c>[rows, D]</c>.</param>
    /// <param name="d">D.</param>
    /// <param name="sample">Which rows, of which classes.</param>
    /// <param name="groups">What each row of <paramref name="values"/> is of, such as its window: where there are at least eight, whole groups are held back, otherwise single rows.</param>
    /// <param name="seed">Decides the halves, and the shuffling.</param>
    /// <param name="penalty">λ, as a share of the mean variance of a coordinate.</param>
    public static LinearProbes Measure(ReadOnlySpan<float> values, int d, ClassSample sample, ReadOnlySpan<int> groups, ulong seed, double penalty = 0.01)
    {
        bool[] isHeldBack = HeldBack(sample, groups, seed);
        int[] train = [.. Enumerable.Range(0, isHeldBack.Length).Where(i => !isHeldBack[i])], test = [.. Enumerable.Range(0, isHeldBack.Length).Where(i => isHeldBack[i])];
        int[] known = [.. train.Select(i => sample.Classes[i])], asked = [.. test.Select(i => sample.Classes[i])];
        var none = new LinearProbes { Status = GeometryStatus.TooFewPoints, Trained = train.Length, Tested = test.Length, Classes = sample.Count };
        if (known.Distinct().Count() < 2 || test.Length == 0)
        {
            return none;
        }

        (GeometryStatus status, ProbeFeatures? features) = ProbeFeatures.Of(values, d, [.. train.Select(i => sample.Rows[i])], [.. test.Select(i => sample.Rows[i])], penalty);
        if (features is null)
        {
            return none with { Status = status };
        }

        int[] shuffled = [.. known];
        Shuffle(shuffled, GaussianSource.Mix(seed, 2));
        int frequent = known.GroupBy(one => one).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).First().Key;
        return none with
        {
            Status = GeometryStatus.Ok,
            Ridge = features.Accuracy(features.Ridge(known, sample.Count), asked),
            RidgeShuffled = features.Accuracy(features.Ridge(shuffled, sample.Count), asked),
            Logistic = features.Accuracy(features.Logistic(known, sample.Count, penalty, Rounds), asked),
            LogisticShuffled = features.Accuracy(features.Logistic(shuffled, sample.Count, penalty, Rounds), asked),
            Majority = (double)asked.Count(one => one == frequent) / asked.Length,
        };
    }

    // Half of the groups, or of the rows.
    private static bool[] HeldBack(ClassSample sample, ReadOnlySpan<int> groups, ulong seed)
    {
        var of = new int[sample.Rows.Length];
        for (int i = 0; i < of.Length; i++)
        {
            of[i] = groups.IsEmpty ? i : groups[sample.Rows[i]];
        }

        int[] all = [.. of.Distinct()];
        if (all.Length < 8)
        {
            all = of = [.. Enumerable.Range(0, of.Length)];
        }

        int[] order = [.. all];
        Shuffle(order, GaussianSource.Mix(seed, 1));
        HashSet<int> held = [.. order.Take(order.Length / 2)];
        return [.. of.Select(held.Contains)];
    }

    private static void Shuffle(int[] values, ulong seed)
    {
        var random = new GaussianSource(seed);
        for (int i = values.Length - 1; i > 0; i--)
        {
            int other = random.NextInt(i + 1);
            (values[i], values[other]) = (values[other], values[i]);
        }
    }
}

/// <summary>
/// Rows to train on and to test, centered on the mean of the former and turned by their covariance with the penalty, LLᵀ = Σ + λI, into z = L⁻¹(x − μ): then ridge regression is a product,
/// and logistic regression well conditioned.
/// </summary>
internal sealed class ProbeFeatures
{
    private readonly int _d;
    private readonly double[] _train;
    private readonly double[] _test;

    private ProbeFeatures(int d, double[] train, double[] test) => (_d, _train, _test) = (d, train, test);

    private int Trained => _train.Length / _d;

    public static (GeometryStatus Status, ProbeFeatures? Features) Of(ReadOnlySpan<float> values, int d, int[] train, int[] test, double penalty)
    {
        float[] rows = Gather(values, d, train), others = Gather(values, d, test);
        var moments = new Spectra.StreamingMoments(d);
        moments.Add(rows, train.Length);
        if (moments.Status != GeometryStatus.Ok || !RowGuard.AllFinite(others))
        {
            return (moments.Status == GeometryStatus.Ok ? GeometryStatus.NotFinite : moments.Status, null);
        }

        double[] root = moments.Covariance();
        double trace = 0;
        for (int i = 0; i < d; i++)
        {
            trace += root[(i * d) + i];
        }

        for (int i = 0; i < d; i++)
        {
            root[(i * d) + i] += penalty * trace / d;
        }

        Cholesky(root, d);
        return (GeometryStatus.Ok, new ProbeFeatures(d, Whiten(rows, d, moments.Mean, root), Whiten(others, d, moments.Mean, root)));
    }

    /// <summary>Weights [C, D + 1] of ridge regression to one-hot classes: the mean of z·y, and of y.</summary>
    public double[] Ridge(int[] classes, int count)
    {
        var weights = new double[count * (_d + 1)];
        for (int i = 0; i < classes.Length; i++)
        {
            Span<double> row = weights.AsSpan(classes[i] * (_d + 1), _d + 1);
            TensorPrimitives.Add(row[.._d], _train.AsSpan(i * _d, _d), row[.._d]);
            row[_d]++;
        }

        TensorPrimitives.Divide(weights, classes.Length, weights);
        return weights;
    }

    /// <summary>Weights [C, D + 1] of multinomial logistic regression with ½ λ‖W‖², by accelerated gradient steps (Nesterov 1983) from 0.</summary>
    public double[] Logistic(int[] classes, int count, double penalty, int rounds)
    {
        // Rows of z have a covariance of at most 1, so that the loss bends by at most ½ (Böhning 1992), and the constant by as much.
        int width = _d + 1, n = classes.Length;
        double step = 1 / (1 + penalty), momentum = 1;
        double[] weights = new double[count * width], ahead = new double[weights.Length], gradient = new double[weights.Length], logits = new double[count];
        for (int round = 0; round < rounds; round++)
        {
            TensorPrimitives.Multiply(ahead, penalty, gradient);
            for (int i = 0; i < n; i++)
            {
                ReadOnlySpan<double> z = _train.AsSpan(i * _d, _d);
                Scores(ahead, z, logits);
                TensorPrimitives.SoftMax<double>(logits, logits);
                logits[classes[i]]--;
                for (int c = 0; c < count; c++)
                {
                    Span<double> row = gradient.AsSpan(c * width, width);
                    TensorPrimitives.MultiplyAdd(z, logits[c] / n, row[.._d], row[.._d]);
                    row[_d] += logits[c] / n;
                }
            }

            double next = (1 + Math.Sqrt(1 + (4 * momentum * momentum))) / 2;
            for (int k = 0; k < weights.Length; k++)
            {
                double moved = ahead[k] - (step * gradient[k]);
                ahead[k] = moved + ((momentum - 1) / next * (moved - weights[k]));
                weights[k] = moved;
            }

            momentum = next;
        }

        return weights;
    }

    /// <summary>The share of the rows to test whose class has the highest score.</summary>
    public double Accuracy(double[] weights, int[] classes)
    {
        var scores = new double[weights.Length / (_d + 1)];
        int right = 0;
        for (int i = 0; i < classes.Length; i++)
        {
            Scores(weights, _test.AsSpan(i * _d, _d), scores);
            right += TensorPrimitives.IndexOfMax<double>(scores) == classes[i] ? 1 : 0;
        }

        return (double)right / classes.Length;
    }

    private void Scores(double[] weights, ReadOnlySpan<double> z, double[] scores)
    {
        for (int c = 0; c < scores.Length; c++)
        {
            ReadOnlySpan<double> row = weights.AsSpan(c * (_d + 1), _d + 1);
            scores[c] = TensorPrimitives.Dot(row[.._d], z) + row[_d];
        }
    }

    private static float[] Gather(ReadOnlySpan<float> values, int d, int[] rows)
    {
        var gathered = new float[rows.Length * d];
        for (int i = 0; i < rows.Length; i++)
        {
            values.Slice(rows[i] * d, d).CopyTo(gathered.AsSpan(i * d));
        }

        return gathered;
    }

    // The lower triangle of A = LLᵀ, in place.
    private static void Cholesky(double[] a, int d)
    {
        for (int i = 0; i < d; i++)
        {
            Span<double> row = a.AsSpan(i * d, d);
            for (int j = 0; j < i; j++)
            {
                row[j] = (row[j] - TensorPrimitives.Dot<double>(row[..j], a.AsSpan(j * d, j))) / a[(j * d) + j];
            }

            row[i] = Math.Sqrt(Math.Max(row[i] - TensorPrimitives.SumOfSquares<double>(row[..i]), 1e-300));
        }
    }

    private static double[] Whiten(float[] rows, int d, ReadOnlySpan<double> mean, double[] root)
    {
        var z = new double[rows.Length];
        for (int at = 0; at < rows.Length; at += d)
        {
            Span<double> row = z.AsSpan(at, d);
            TensorPrimitives.ConvertChecked(rows.AsSpan(at, d), row);
            TensorPrimitives.Subtract(row, mean, row);
            for (int i = 0; i < d; i++)
            {
                row[i] = (row[i] - TensorPrimitives.Dot<double>(root.AsSpan(i * d, i), row[..i])) / root[(i * d) + i];
            }
        }

        return z;
    }
}
