using NanoFold.Engine.Model;

namespace NanoFold.Tests.Suites;

/// <summary>The weights of one part of a model by their names below a prefix, and plain arithmetic with them: rows of doubles, one token at a time.</summary>
internal sealed class NaiveLayer(ModelConfig model, Func<string, double[]?> weights, string prefix)
{
    public ModelConfig Model => model;

    /// <summary>The part of that name within this one.</summary>
    public NaiveLayer In(string name) => new(model, weights, $"{prefix}{name}.");

    public bool Has(string name) => weights(prefix + name) is not null;

    public double[]? Find(string name) => weights(prefix + name);

    public double[] Weight(string name) => Find(name) ?? throw new KeyNotFoundException(prefix + name);

    /// <summary>W x, with the bias where there is one.</summary>
    public double[] Linear(double[] x, string name)
    {
        double[] y = Times(Weight(name + ".weight"), x);
        return Find(name + ".bias") is { } bias ? Add(y, bias) : y;
    }

    /// <summary>The model's norm of that name.</summary>
    public double[][] Norm(double[][] x, string name)
    {
        double[] gain = Weight(name + ".weight");
        return Find(name + ".bias") is not { } bias ? [.. x.Select(row => Rms(row, gain))] : [.. x.Select(row =>
        {
            double mean = row.Average(), variance = row.Average(v => (v - mean) * (v - mean));
            return row.Select((v, i) => (v - mean) / Math.Sqrt(variance + model.NormEpsilon) * gain[i] + bias[i]).ToArray();
        })];
    }

    public double[] Rms(double[] x, double[] gain) => [.. x.Select((v, i) => v / Math.Sqrt(x.Average(u => u * u) + model.NormEpsilon) * gain[i])];

    /// <summary>W x, W row-major.</summary>
    public static double[] Times(double[] w, double[] x) =>
        [.. Enumerable.Range(0, w.Length / x.Length).Select(row => Enumerable.Range(0, x.Length).Sum(i => w[row * x.Length + i] * x[i]))];

    public static double[] Row(double[] values, int row, int length) => values[(row * length)..((row + 1) * length)];

    public static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    public static double[] Multiply(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x * y)];

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
