using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Whether the stream itself shows that something is wrong: pairs of sequences that differ in one token, a right one and a wrong one, told apart by loss, by curvature and by the distance from the local
/// tangent plane of ordinary text. Each figure is an area under the curve: 0.5 is chance, 1 always larger for the wrong one. Pairs are those of the task, or of a file.
/// </summary>
public sealed record MinimalPairMeasure : NetworkMeasure
{
    private const int LeastOrdinary = 64;

    /// <summary>A file of pairs, each line with the right and the wrong text and perhaps a name of what is wrong, between tabs; empty for those of the task.</summary>
    public string File { get; init; } = "";

    /// <summary>So many pairs of each kind at most.</summary>
    [Bounds(2, 100_000)]
    public int Pairs { get; init; } = 40;

    /// <summary>Ordinary tokens that planes are fitted to.</summary>
    [Bounds(LeastOrdinary, 1 << 16)]
    public int Ordinary { get; init; } = 1000;

    /// <inheritdoc/>
    public override string Legend => "areas under the curve, wrong against right: loss, bend and distance off the plane of ordinary text; 0.5 is chance";

    /// <inheritdoc/>
    public override string Subject => "minimal pairs";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("lossAuc", "loss", "0.00"), new("curvatureAuc", "bend", "0.00"), new("offManifoldAuc", "off plane", "0.00")];

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path)
    {
        if (File.Length > 0 && !System.IO.File.Exists(File))
        {
            yield return new ConfigProblem($"{path}.file", $"{File} is no file");
        }
    }

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        string? whyNot = SequenceRuns.WhyNot(network.Model);
        if (File.Length > 0 && whyNot is not null)
        {
            throw new UserException($"minimal-pairs: {whyNot}, so it reads no pairs of text");
        }

        MinimalPair[] pairs = [.. (File.Length > 0 ? PairFile.Read(File, network, Pairs) : network.Task.MinimalPairs(Pairs)).Where(pair => Math.Max(pair.Right.Count, pair.Wrong.Count) <= network.Model.Config.Context)];
        if (File.Length > 0 && pairs.Length == 0)
        {
            throw new UserException($"{File}: has no pair of texts of at most {network.Model.Config.Context} tokens, the model's context");
        }

        if (pairs.Length == 0 || whyNot is not null)
        {
            return;
        }

        PairScores scores = Score(network, pairs);
        Write(figures, scores.Losses, "loss", pairs, "Σ −ln p of the tokens of a sequence");
        for (int layer = 0; layer < network.Model.Config.Layers; layer++)
        {
            FigureWriter own = figures.At(new FigurePlace("point", PointOf(layer), layer));
            Write(own, scores.Bends[layer], "curvature", pairs, "mean angle between successive steps of a sequence");
            Write(own, scores.Distances[layer], "offManifold", pairs, $"relative distance of the differing token to the plane of 8 dimensions through its 32 nearest of {scores.Ordinary} ordinary tokens");
        }
    }

    private static string PointOf(int layer) => string.Create(CultureInfo.InvariantCulture, $"blocks.{layer}.{PointMeasure.Stream}");

    // Over all, then by kind.
    private static void Write(FigureWriter figures, double[] scores, string name, MinimalPair[] pairs, string estimator)
    {
        foreach (string kind in pairs.Select(pair => pair.Kind).Distinct().Prepend(""))
        {
            int[] of = [.. Enumerable.Range(0, pairs.Length).Where(i => (kind.Length == 0 || pairs[i].Kind == kind) && double.IsFinite(scores[2 * i]) && double.IsFinite(scores[(2 * i) + 1]))];
            RocAuc area = RocAuc.Of([.. of.Select(i => scores[2 * i])], [.. of.Select(i => scores[(2 * i) + 1])]);
            string suffix = kind.Length == 0 ? "" : "." + kind;
            figures.Add($"{name}Auc{suffix}", area.Value, area.Status, $"area under the curve, {estimator}", of.Length, area.Error);
            figures.Add($"{name}Paired{suffix}", area.Paired, area.Status, $"share of pairs whose wrong one has more, {estimator}", of.Length);
        }
    }

    // Of pair i the right one has the number 2i, the wrong one 2i + 1.
    private PairScores Score(NetworkSample network, MinimalPair[] pairs)
    {
        (int layers, int width) = (network.Model.Config.Layers, network.Model.Config.Width);
        int[][] sequences = [.. pairs.SelectMany(pair => new[] { pair.Right.ToArray(), pair.Wrong.ToArray() })];
        OffManifold?[] ordinary = OrdinaryOf(network, out int count);
        var scores = new PairScores(sequences.Length, layers, count);
        string[] points = [.. Enumerable.Range(0, layers).Select(PointOf)];
        var runs = new SequenceRuns
        {
            Points = points,
            Read = (number, point, values) =>
            {
                int layer = Array.IndexOf(points, point), time = sequences[number].Length, at = Math.Min(pairs[number / 2].At, time - 1);
                scores.Bends[layer][number] = Curvature.Measure(values, time, width).Degrees ?? double.NaN;
                scores.Distances[layer][number] = ordinary[layer]?.At(values.Slice(at * width, width)).Relative ?? double.NaN;
            },
            ReadLosses = (number, losses) => scores.Losses[number] = losses.Sum(loss => (double)loss),
        };
        runs.Run(network.Model, sequences);
        return scores;
    }

    // The stream at tokens of the probe, position 0 left out.
    private OffManifold?[] OrdinaryOf(NetworkSample network, out int count)
    {
        (int layers, int width) = (network.Model.Config.Layers, network.Model.Config.Width);
        int[] rows = [.. network.Points.Rows.ToArray().Where(row => row % network.Time > 0).Take(Ordinary)];
        var found = new OffManifold?[layers];
        count = rows.Length;
        if (rows.Length < LeastOrdinary)
        {
            return found;
        }

        string[] points = [.. Enumerable.Range(0, layers).Select(PointOf)];
        float[][] values = [.. points.Select(_ => new float[rows.Length * width])];
        var runs = new SequenceRuns
        {
            Points = points,
            Read = (number, point, all) =>
            {
                float[] into = values[Array.IndexOf(points, point)];
                for (int i = 0; i < rows.Length; i++)
                {
                    if (rows[i] / network.Time == number)
                    {
                        all.Slice(rows[i] % network.Time * width, width).CopyTo(into.AsSpan(i * width));
                    }
                }
            },
        };
        runs.Run(network.Model, [.. network.Tokens.Chunk(network.Time)]);
        for (int layer = 0; layer < layers; layer++)
        {
            found[layer] = RowGuard.AllFinite(values[layer]) ? new OffManifold(values[layer], rows.Length, width) : null;
        }

        return found;
    }

    private sealed class PairScores(int sequences, int layers, int ordinary)
    {
        public double[] Losses { get; } = new double[sequences];

        public double[][] Bends { get; } = New(sequences, layers);

        public double[][] Distances { get; } = New(sequences, layers);

        public int Ordinary => ordinary;

        private static double[][] New(int sequences, int layers) => [.. Enumerable.Range(0, layers).Select(_ => Enumerable.Repeat(double.NaN, sequences).ToArray())];
    }
}
