using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Labels;

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
        float[] rows = RowGather.Of(values, d, train), others = RowGather.Of(values, d, test);
        var moments = new StreamingMoments(d);
        moments.Add(rows, train.Length);
        if (moments.Status != GeometryStatus.Ok || !RowGuard.AllFinite(others))
        {
            return (moments.Status == GeometryStatus.Ok ? GeometryStatus.NotFinite : moments.Status, null);
        }

        double[] covariance = moments.Covariance();
        double trace = 0;
        for (int i = 0; i < d; i++)
        {
            trace += covariance[(i * d) + i];
        }

        for (int i = 0; i < d; i++)
        {
            covariance[(i * d) + i] += penalty * trace / d;
        }

        double[] root = CholeskyFactor.Of(covariance, d);
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
