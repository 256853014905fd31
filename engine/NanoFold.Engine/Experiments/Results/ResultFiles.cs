using System.Globalization;
using System.Text;
using NanoFold.Engine.Experiments.Statistics;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>The files of a comparison's result: <c>result.json</c>, <c>table.md</c>, <c>table.csv</c> (a row for each variant and reference), <c>runs.csv</c> (a row for each run), <c>grid.csv</c> (a row for each variant of a grid, a column for each value) and <c>geometry.csv</c> (a row for each figure of a layer).</summary>
public static class ResultFiles
{
    /// <summary>The tables and sentences, in Markdown.</summary>
    public const string Markdown = "table.md";

    /// <summary>Variants and references, in full digits.</summary>
    public const string Table = "table.csv";

    /// <summary>Runs, trials of searches included: what the means are of.</summary>
    public const string Runs = "runs.csv";

    /// <summary>The figure that is ranked by, of variants by values; not there where the comparison is no grid.</summary>
    public const string Grid = "grid.csv";

    /// <summary>Figures of geometry by variant and layer; not there where nothing was measured.</summary>
    public const string Geometry = "geometry.csv";

    /// <summary>Writes all of them into the folder of the comparison.</summary>
    /// <exception cref="UserException">One of them cannot be written.</exception>
    public static void Write(string folder, ComparisonResult result)
    {
        result.Write(folder);
        Write(folder, Markdown, MarkdownOf(result));
        Write(folder, Table, TableOf(result));
        Write(folder, Runs, RunsOf(result));
        if (ResultGrid.Of(result) is { } grid)
        {
            Write(folder, Grid, GridOf(result, grid));
        }

        if (result.Variants.Any(variant => variant.Geometry.Count > 0))
        {
            Write(folder, Geometry, GeometryOf(result));
        }
    }

    /// <summary>The text of <see cref="Markdown"/>.</summary>
    public static string MarkdownOf(ComparisonResult result)
    {
        IEnumerable<string> Optional(ResultTable? table, params string[] below) => table is null ? [] : [.. table.Markdown(), "", .. below];
        return Lines(
        [
            $"# {result.Title}",
            "",
            .. Optional(ResultTable.Grid(result)),
            .. ResultTable.Ranking(result).Markdown(),
            "",
            .. result.Variants.Where(variant => !variant.IsBase).Select(variant => $"- {variant.Name}: {variant.Verdict}"),
            "",
            .. result.Summary.Select(sentence => $"- {sentence}"),
            "",
            .. ResultTable.Costs(result).Markdown(),
            "",
            .. Optional(ResultTable.Searches(result), "\\* the rate that seeds run with", ""),
            .. Optional(ResultTable.Contexts(result)),
            .. Optional(ResultTable.Layers(result)),
        ]);
    }

    /// <summary>The text of <see cref="Table"/>.</summary>
    public static string TableOf(ComparisonResult result)
    {
        string[] figures = [.. result.Variants.SelectMany(variant => variant.Figures).Select(figure => figure.Name).Distinct()];
        return Lines(
        [
            Row(["row", "name", "isBase", "parameters", "flopsPerToken", "cacheBytesPerToken", .. figures.SelectMany(Heads), "mayBeBest", "verdict", "tokensPerSecond", "peakBytes", "tokens", "trainingFlops", "seconds", "learningRate", "weightDecay", "runs", "on"]),
            .. result.Variants.Select(variant => Row(
            [
                "variant", variant.Name, variant.IsBase, variant.Parameters, variant.FlopsPerToken, variant.CacheBytesPerToken, .. figures.SelectMany(name => Cells(variant.Figure(name))),
                variant.MayBeBest, variant.Verdict, variant.TokensPerSecond, variant.PeakBytes, variant.Tokens, variant.TrainingFlops, variant.Seconds, variant.LearningRate, variant.WeightDecay,
                string.Join(' ', variant.Runs.Where(run => run.State == CollectedState.Finished).Select(run => run.Run)),
                result.IsOfAllHeldBack ? ReferenceResult.OfAll : ReferenceResult.OfRows,
            ])),
            .. result.References.Select(reference => Row(
            [
                "reference", reference.Name, false, null, null, null, .. figures.SelectMany(name => (object?[])[reference.Figure(name), .. new object?[Heads(name).Length - 1]]), .. new object?[10], reference.On,
            ])),
        ]);
    }

    /// <summary>The text of <see cref="Runs"/>.</summary>
    public static string RunsOf(ComparisonResult result)
    {
        HashSet<string> counted = [.. result.Variants.SelectMany(variant => variant.Runs).Where(run => run.State == CollectedState.Finished).Select(run => run.Run)];
        CollectedRun[] runs = result.AllRuns.OrderBy(run => run.Variant, StringComparer.Ordinal).ThenBy(run => run.Seed).ThenBy(run => run.LearningRate).ToArray();
        string[] scores = [.. runs.SelectMany(run => run.Validation.Keys).Distinct()], full = [.. runs.SelectMany(run => run.FullValidation.Keys).Distinct()];
        return Lines(
        [
            Row(["run", "variant", "seed", "learningRate", "weightDecay", "state", "end", "counts", "steps", "tokens", "flops", "seconds", "tokensPerSecond", "peakBytes", "trainLoss", .. scores.Select(name => Key("validation", name)), .. full.Select(name => Key("fullValidation", name)), "device", "threads", "instructionSet", "fault"]),
            .. runs.Select(run => Row(
            [
                run.Run, run.Variant, run.Seed, run.LearningRate, run.WeightDecay, run.State.ToString().ToLowerInvariant(), run.End, counted.Contains(run.Run), run.Steps, run.Tokens, run.Flops, run.Seconds, run.TokensPerSecond, run.PeakBytes, run.TrainLoss,
                .. scores.Select(name => Value(run.Validation, name)), .. full.Select(name => Value(run.FullValidation, name)), run.Device, run.Threads, run.InstructionSet, run.Fault,
            ])),
        ]);
    }

    /// <summary>The text of <see cref="Grid"/>: for each value the mean over seeds, then for each the standard deviation where a variant has several seeds.</summary>
    public static string GridOf(ComparisonResult result, ResultGrid grid)
    {
        FigureResult? At(string name, GridPoint point) => grid.At(name, point)?.Figure(result.RankedBy);
        bool isSpread = result.Variants.Any(variant => variant.Figure(result.RankedBy)?.StandardDeviation is not null);
        GridPoint[] spreads = isSpread ? [.. grid.Points] : [];
        return Lines(
        [
            Row(["variant", .. grid.Points.Select(point => $"{result.RankedBy} {point.Full}"), .. spreads.Select(point => $"{result.RankedBy}StandardDeviation {point.Full}")]),
            .. grid.Names.Select(name => Row([name, .. grid.Points.Select(point => (object?)At(name, point)?.Mean), .. spreads.Select(point => (object?)At(name, point)?.StandardDeviation)])),
        ]);
    }

    /// <summary>The text of <see cref="Geometry"/>.</summary>
    public static string GeometryOf(ComparisonResult result) => Lines(
    [
        "variant,measure,figure,point,layer,mean,standardDeviation,runs",
        .. from variant in result.Variants
           from figure in variant.Geometry
           select Row([variant.Name, figure.Measure, figure.Figure, figure.Point, figure.Layer, figure.Mean, figure.StandardDeviation, figure.Runs]),
    ]);

    private static string[] Heads(string figure)
        => [figure, .. new[] { "StandardDeviation", "Seeds", "Difference", "IntervalLow", "IntervalHigh", "BootstrapLow", "BootstrapHigh", "PValue", "AdjustedPValue", "SeedsNeeded" }.Select(head => figure + head)];

    private static object?[] Cells(FigureResult? figure)
    {
        PairedDifference? difference = figure?.Difference;
        return
        [
            figure?.Mean, figure?.StandardDeviation, figure?.Seeds, difference?.Mean, difference?.Interval?.Low, difference?.Interval?.High, difference?.BootstrapInterval?.Low, difference?.BootstrapInterval?.High,
            difference?.PValue, difference?.AdjustedPValue, difference?.SeedsNeeded,
        ];
    }

    private static object? Value(IReadOnlyDictionary<string, double> scores, string name) => scores.TryGetValue(name, out double value) ? value : null;

    private static string Key(string prefix, string name) => new Tasks.Score(name, 0).After(prefix);

    // RFC 4180, but for ends of lines.
    private static string Row(IEnumerable<object?> cells) => string.Join(',', cells.Select(Cell));

    private static string Cell(object? value)
    {
        string text = value switch
        {
            null or double.NaN => "",
            bool flag => flag ? "true" : "false",
            IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString()!.ReplaceLineEndings(" "),
        };
        return text.AsSpan().IndexOfAny(",\"") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    private static string Lines(IEnumerable<string> lines) => string.Concat(lines.Select(line => $"{line}\n"));

    private static void Write(string folder, string name, string text) => OutputFile.Write(Path.Combine(folder, name), stream => stream.Write(Encoding.UTF8.GetBytes(text)));
}
