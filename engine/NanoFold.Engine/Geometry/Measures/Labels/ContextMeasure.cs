using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// One word in two sets of contexts, such as apple as a fruit and as a company, through the layers: the distance between both clouds over the spread within them, and the ways of all occurrences in one basis
/// of principal axes. Values are the mean over the tokens of the word; a line of a file is a context, of which what stands before the word's last occurrence counts.
/// </summary>
public sealed record ContextMeasure : NetworkMeasure
{
    private const int Axes = 3;

    /// <summary>The word; without one nothing is measured.</summary>
    public string Word { get; init; } = "";

    /// <summary>A file with the first contexts, one a line.</summary>
    public string First { get; init; } = "";

    /// <summary>A file with the second contexts.</summary>
    public string Second { get; init; } = "";

    /// <inheritdoc/>
    public override string Legend => "apart = distance between the word's means in two sets of contexts over the spread within each; shuffled = the same of shuffled contexts";

    /// <inheritdoc/>
    public override string Subject => "word with two files of contexts";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("ratio", "apart", "0.00"), new("ratioByChance", "shuffled", "0.00"), new("nearestMean", "nearest mean", "0.00")];

    // Its contexts are those of the files; shuffled ones stand beside them.
    internal override bool IsOfTokens => false;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path)
    {
        if (Word.Length == 0 && (First.Length > 0 || Second.Length > 0))
        {
            yield return new ConfigProblem($"{path}.word", "is missing: the word that stands in the contexts");
        }

        foreach ((string name, string value) in new[] { (nameof(First), First), (nameof(Second), Second) })
        {
            if (Word.Length > 0 && !File.Exists(value))
            {
                yield return new ConfigProblem($"{path}.{char.ToLowerInvariant(name[0])}{name[1..]}", value.Length == 0 ? $"is missing: a file with contexts of \"{Word}\", one a line" : $"{value} is no file");
            }
        }
    }

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        if (Word.Length == 0)
        {
            return;
        }

        if (network.Tokenizer is null || SequenceRuns.WhyNot(network.Model) is not null)
        {
            throw new UserException($"contexts: {SequenceRuns.WhyNot(network.Model) ?? "the model was not trained on text"}, so there are no words in it");
        }

        WordContext[][] sets = [Find(network, First), Find(network, Second)];
        float[][] values = Values(network, [.. sets[0], .. sets[1]], out int layers);
        int width = network.Model.Config.Width, first = sets[0].Length, count = values.Length;
        for (int layer = 0; layer <= layers; layer++)
        {
            float[] rows = [.. values.SelectMany(way => way.AsSpan(layer * width, width).ToArray())];
            ContextSeparation found = ContextSeparation.Measure(rows.AsSpan(0, first * width), rows.AsSpan(first * width), width, network.Seed);
            FigureWriter own = figures.At(new FigurePlace("point", PointOf(layer), Math.Max(0, layer - 1)));
            string estimator = $"\"{Word}\" in {first} and {count - first} contexts, mean over its tokens";
            own.Add("distance", found.Distance, found.Distance is null ? found.Status : GeometryStatus.Ok, estimator, count);
            own.Add("spread", found.Spread, found.Status, estimator, count);
            own.Add("ratio", found.Ratio, found.Status, estimator, count);
            own.Add("ratioByChance", found.RatioByChance, found.Status, $"20 shufflings of {estimator}", count);
            own.Add("nearestMean", found.NearestMean, found.Status, $"each left out of its mean, {estimator}", count);
        }

        if (figures.WantsArrays)
        {
            // All layers in one basis, so that the ways can be laid into one picture.
            float[] all = [.. values.SelectMany(way => way)];
            PrincipalAxes axes = PrincipalAxes.Of(all, count * (layers + 1), Axes);
            if (axes.Shares.Count > 0)
            {
                figures.Array("coordinates", [count, layers + 1, axes.Shares.Count], axes.Coordinates(all));
                figures.Array("shares", [axes.Shares.Count], axes.Shares.ToArray());
                figures.Array("contexts", [count], Enumerable.Range(0, count).Select(i => i < first ? 0 : 1).ToArray());
            }
        }
    }

    private static string PointOf(int layer) => layer == 0 ? "blocks.0.hook_resid_pre" : FormattableString.Invariant($"blocks.{layer - 1}.hook_resid_post");

    // The way of each occurrence, [L + 1, D].
    private static float[][] Values(NetworkSample network, WordContext[] contexts, out int layers)
    {
        int width = network.Model.Config.Width;
        layers = network.Model.Config.Layers;
        string[] points = [.. Enumerable.Range(0, layers + 1).Select(PointOf)];
        float[][] ways = [.. contexts.Select(_ => new float[points.Length * width])];
        var runs = new SequenceRuns
        {
            Points = points,
            Read = (number, point, values) =>
            {
                Span<float> mean = ways[number].AsSpan(Array.IndexOf(points, point) * width, width);
                int length = contexts[number].Length;
                for (int i = values.Length - (length * width); i < values.Length; i++)
                {
                    mean[i % width] += values[i] / length;
                }
            },
        };
        runs.Run(network.Model, [.. contexts.Select(context => context.Tokens)]);
        return ways;
    }

    private WordContext[] Find(NetworkSample network, string path)
    {
        string[] lines = FileFault.ReadLines(path);
        WordContext[] found = [.. WordContext.Find(network.Tokenizer!, Word, lines, network.Model.Config.Context)];
        return found.Length >= 2 ? found : throw new UserException($"{path}: {found.Length} of {lines.Length} lines have the word \"{Word}\" (as it is written here); at least 2 are needed");
    }
}
