namespace NanoFold.Tests.Interchange;

/// <summary>Attention of DiffLlama in float64: heads i and i + H/2 are a pair, whose value is that of both one after the other, keys and values first repeated to H heads.</summary>
internal static class DifferentialFormula
{
    /// <summary>What the pairs give, [T][H · D].</summary>
    /// <param name="q">Turned, [T][H][D].</param>
    /// <param name="k">Turned, [T][K][D].</param>
    /// <param name="v">[T][K][D].</param>
    /// <param name="lambda">λ without λ0.</param>
    /// <param name="layer">From 0.</param>
    /// <param name="epsilon">Of the norm.</param>
    public static double[][] Attend(double[][][] q, double[][][] k, double[][][] v, double lambda, int layer, double epsilon)
    {
        int heads = q[0].Length, shared = heads / k[0].Length, width = q[0][0].Length;
        double first = 0.8 - (0.6 * Math.Exp(-0.3 * layer));
        return [.. q.Select((row, t) => Enumerable.Range(0, heads / 2).SelectMany(pair =>
        {
            (int a, int b) = (pair, pair + (heads / 2));
            double[] one = Weights(a, t), other = Weights(b, t);
            double[] rest = [.. Enumerable.Range(0, 2 * width).Select(d => Enumerable.Range(0, t + 1).Sum(j =>
                (one[j] - ((lambda + first) * other[j])) * v[j][(d < width ? a : b) / shared][d % width]))];
            double size = Math.Sqrt(rest.Average(r => r * r) + epsilon);
            return rest.Select(r => (1 - first) * r / size);
        }).ToArray())];

        double[] Weights(int head, int t)
        {
            double[] powers = [.. Enumerable.Range(0, t + 1).Select(j => Math.Exp(q[t][head].Zip(k[j][head / shared], (x, y) => x * y).Sum() / Math.Sqrt(width)))];
            return [.. powers.Select(power => power / powers.Sum())];
        }
    }
}
