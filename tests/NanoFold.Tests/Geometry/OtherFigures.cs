using System.Globalization;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Tensors;

namespace NanoFold.Tests.Geometry;

/// <summary>What measures that are not taken by default must write of a <see cref="HandMadeModel"/>: by definition, from its known values.</summary>
internal static class OtherFigures
{
    private const string Stream = "hook_resid_post";

    public static Dictionary<string, double?> Of(HandMadeModel model)
    {
        IReadOnlyList<HandMadeLayer> layers = model.Run();
        var expected = new Dictionary<string, double?>();
        double[][][] streams = [Later(model, layers[0].Before), .. layers.Select(l => Later(model, l.After))];
        for (int layer = 0; layer < layers.Count; layer++)
        {
            string prefix = layer.ToString(CultureInfo.InvariantCulture);
            Heads(expected, prefix, layers[layer]);
            Dimensions(expected, prefix, streams[layer + 1]);
            double[][] x = layers[layer].After;
            expected.Add($"{prefix} token-curvature degrees", x.Chunk(HandMadeModel.Time).SelectMany(Angles).Average());
            string[] names = [layer == 0 ? "blocks.0.hook_resid_pre" : $"blocks.{layer - 1}.{Stream}", $"blocks.{layer}.{Stream}"];
            Pair(expected, string.Join(' ', names), streams[layer], streams[layer + 1], TokensOf(model));
        }

        expected.Add($"{Stream} layer-curvature degrees", Enumerable.Range(0, streams[0].Length).SelectMany(i => Angles([.. streams.Select(s => s[i])])).Average());
        expected.Add($"{Stream} layer-curvature degrees.1", Enumerable.Range(0, streams[0].Length).SelectMany(i => Angles([.. streams.Select(s => s[i])])).Average());
        foreach (Parameter parameter in model.Model.Store.Parameters.Where(p => p.Layout.Rank > 1))
        {
            Weights(expected, parameter.Name, model.ValuesOf(parameter), parameter.Layout[-1]);
        }

        return expected;
    }

    // In the order of the sample: which of two neighbors at one distance is nearer goes by it.
    private static int[] Rows() => SampledRows.Points(ProbeShape.Of(12, 12, HandMadeModel.Time) with { Batch = HandMadeModel.Batch, Points = 12 }, 1).Rows[HandMadeModel.Batch..].ToArray();

    private static double[][] Later(HandMadeModel model, double[][] rows) => [.. Rows().Select(row => rows[row])];

    private static int[] TokensOf(HandMadeModel model) => [.. Rows().Select(row => model.Tokens[row])];

    private static void Heads(Dictionary<string, double?> expected, string prefix, HandMadeLayer layer)
    {
        for (int head = 0; head < HandMadeModel.Heads; head++)
        {
            (double[] Row, int Keys)[] rows = [.. layer.Pattern.Select((heads, i) => (heads[head], (i % HandMadeModel.Time) + 1))];
            double Entropy(double[] row) => -row.Where(w => w > 0).Sum(w => w * Math.Log(w));
            string name = $"{prefix}.{head} attention-heads ";
            expected.Add(name + "attentionEntropy", rows.Average(r => Entropy(r.Row)));
            expected.Add(name + "attentionEntropyShare", rows.Where(r => r.Keys > 1).Average(r => Entropy(r.Row) / Math.Log(r.Keys)));
            expected.Add(name + "firstTokenMass", rows.Average(r => r.Row[0]));
            expected.Add(name + "firstTokenMassWithoutFirst", rows.Where(r => r.Keys > 1).Average(r => r.Row[0]));
        }
    }

    private static void Dimensions(Dictionary<string, double?> expected, string prefix, double[][] points)
    {
        NeighborGraph graph = Graph(points, points.Length - 1);
        void Add(string name, string suffix, DimensionEstimate estimate)
        {
            expected.Add($"{prefix} {name} dimension{suffix}", estimate.Dimension);
            expected.Add($"{prefix} {name} gaussianDimension{suffix}", GaussianCalibration.Calibrate(estimate, HandMadeModel.Width).GaussianDimension);
        }

        Add("gride", ".2", Gride.Estimate(graph, 2));
        Add("gride", ".4", Gride.Estimate(graph, 4));
        Add("levina-bickel", "", LevinaBickel.Estimate(graph, 5));
        float[] values = [.. points.SelectMany(p => p.Select(v => (float)v))];
        foreach (DecimationLevel level in DecimationScan.Run(values, points.Length, HandMadeModel.Width, DimensionMethod.TwoNNFit(), 5))
        {
            expected.Add($"{prefix} decimation dimension.{level.Points}", level.Dimension);
            var mean = new DimensionEstimate { Method = level.Method, Status = level.Status, Dimension = level.Dimension, Points = level.Points };
            expected.Add($"{prefix} decimation gaussianDimension.{level.Points}", GaussianCalibration.Calibrate(mean, HandMadeModel.Width).GaussianDimension);
        }
    }

    private static NeighborGraph Graph(double[][] points, int k)
    {
        (int Row, double Distance)[] all =
        [
            .. points.SelectMany((p, i) => points.Select((q, j) => (Row: j, Distance: Apart(p, q))).Where(n => n.Row != i).OrderBy(n => n.Distance).Take(k)),
        ];
        return NeighborGraph.FromDistances([.. all.Select(n => n.Row)], [.. all.Select(n => n.Distance)], k);
    }

    private static void Pair(Dictionary<string, double?> expected, string name, double[][] x, double[][] y, int[] tokens)
    {
        int n = x.Length;
        expected.Add($"{name} cka unbiased", Hsic(x, y) / Math.Sqrt(Hsic(x, x) * Hsic(y, y)));
        CkaEstimate biased = LinearCka.Between(Floats(x), HandMadeModel.Width, Floats(y), HandMadeModel.Width, n);
        expected.Add($"{name} cka biased", biased.Biased);
        const int K = 3;
        NeighborGraph first = Graph(x, K), second = Graph(y, K);
        expected.Add($"{name} overlap overlap", Enumerable.Range(0, n).Average(i => first.Neighbors(i).ToArray().Intersect(second.Neighbors(i).ToArray()).Count() / (double)K));
        expected.Add($"{name} overlap overlapByChance", K / (n - 1.0));
        expected.Add($"{name} overlap sameToken", Enumerable.Range(0, n).Average(i => second.Neighbors(i).ToArray().Count(j => tokens[j] == tokens[i]) / (double)K));
        expected.Add($"{name} overlap sameTokenByChance", Enumerable.Range(0, n).Average(i => tokens.Where((t, j) => j != i && t == tokens[i]).Count() / (n - 1.0)));
    }

    // HSIC₁ with matrices written out: [tr(KL) + ΣK ΣL/((n − 1)(n − 2)) − 2 · 1ᵀKL1/(n − 2)]/(n(n − 3)), diagonals zero.
    private static double Hsic(double[][] x, double[][] y)
    {
        int n = x.Length;
        double[,] k = Kernel(x), l = Kernel(y);
        double trace = 0, sumK = 0, sumL = 0, both = 0;
        for (int i = 0; i < n; i++)
        {
            double rowK = 0, rowL = 0;
            for (int j = 0; j < n; j++)
            {
                trace += k[i, j] * l[i, j];
                rowK += k[i, j];
                rowL += l[i, j];
            }

            (sumK, sumL, both) = (sumK + rowK, sumL + rowL, both + (rowK * rowL));
        }

        return (trace + (sumK * sumL / ((n - 1.0) * (n - 2))) - (2 * both / (n - 2))) / (n * (n - 3.0));
    }

    private static double[,] Kernel(double[][] x)
    {
        var k = new double[x.Length, x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            for (int j = 0; j < x.Length; j++)
            {
                k[i, j] = i == j ? 0 : x[i].Zip(x[j], (u, v) => u * v).Sum();
            }
        }

        return k;
    }

    private static IEnumerable<double> Angles(double[][] way)
    {
        double[][] steps = [.. way.Skip(1).Select((p, i) => p.Zip(way[i], (u, v) => u - v).ToArray())];
        return steps.Skip(1).Select((v, i) => Math.Acos(RecordedValuesTests.Cosine(steps[i], v)) * 180 / Math.PI);
    }

    private static void Weights(Dictionary<string, double?> expected, string name, double[] values, int columns)
    {
        double squares = values.Sum(v => v * v);
        double[] gram = [.. Enumerable.Range(0, columns * columns).Select(i => values.Chunk(columns).Sum(row => row[i / columns] * row[i % columns]))];
        double[] spectrum = [.. SymmetricEigenvalues.Of(gram, columns).Select(value => Math.Max(0, value))];
        double largest = spectrum[0], roots = spectrum.Sum(Math.Sqrt);
        expected.Add($"{name} weight-norms rms", Math.Sqrt(squares / values.Length));
        expected.Add($"{name} weight-norms largestSingularValue", Math.Sqrt(largest));
        expected.Add($"{name} weight-norms stableRank", squares / largest);
        expected.Add($"{name} weight-spectra weightErank", Math.Exp(-spectrum.Select(value => Math.Sqrt(value) / roots).Where(share => share > 0).Sum(share => share * Math.Log(share))));
        expected.Add($"{name} weight-spectra weightParticipationRatio", squares * squares / spectrum.Sum(value => value * value));
        expected.Add($"{name} weight-spectra weightFirstShare", largest / squares);
    }

    private static double Apart(double[] a, double[] b) => RecordedValuesTests.Norm([.. a.Zip(b, (u, v) => u - v)]);

    private static float[] Floats(double[][] rows) => [.. rows.SelectMany(row => row.Select(v => (float)v))];
}
