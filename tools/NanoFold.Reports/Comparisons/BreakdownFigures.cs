using NanoFold.Engine;
using NanoFold.Engine.Experiments.Baselines;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Comparisons;

/// <summary>Loss and accuracy by position, frequency, distance and so on, and on longer rows.</summary>
internal static class BreakdownFigures
{
    public static IEnumerable<Figure> Of(ComparisonResult result, IReadOnlyList<ShownVariant> variants)
        => from pair in variants.SelectMany(variant => variant.Result.Breakdowns.Select(breakdown => (Variant: variant, Breakdown: breakdown)))
           group pair by pair.Breakdown.Axis into axis
           let lines = axis.ToArray()
           select new Figure($"By {Display.Words(axis.Key)}", [.. Views(result, lines)]) { IsHalf = true, Height = 370, Caption = Deviations(lines.Any(line => line.Breakdown.Bins.Any(bin => bin.LossDeviation is not null)), variants) };

    /// <summary>On rows longer than in training.</summary>
    public static IEnumerable<Figure> Contexts(ComparisonResult result, IReadOnlyList<ShownVariant> variants)
    {
        ShownVariant[] known = [.. variants.Where(variant => variant.Result.Contexts.Count(context => context.Loss is not null) > 1)];
        string[] why = [.. variants.SelectMany(variant => variant.Result.Contexts.Where(context => context.WhyNot is not null).Select(context => $"{variant.Name}: {context.WhyNot}").Take(1))];
        if (known.Length == 0)
        {
            yield break;
        }

        yield return new Figure("On longer rows", [.. Views(known)]) { IsHalf = true, Height = 370, Caption = $"{(result.Task == "text" ? "All lengths cover the same places. " : "Rows are made up for their length. ")}{string.Join(" ", why.Select(reason => reason + "."))}" };
        IEnumerable<Chart> Views(ShownVariant[] shown)
        {
            var x = new Axis("context (tokens)") { IsLogarithmic = true, Marks = [.. shown.SelectMany(variant => variant.Result.Contexts.Select(context => (double)context.Context))] };
            Chart View(string name, string title, Func<ContextResult, double?> value, Func<ContextResult, double?> deviation) => new(name, x, new Axis(title),
            [
                .. shown.Select(variant => Line(variant, variant.Result.Contexts.Select(context => ((double)context.Context, value(context), deviation(context), "")))),
            ]);
            yield return View("loss", ComparisonPage.Axis(result, FigureResult.Loss), context => context.Loss, context => context.LossDeviation);
            if (shown.Any(variant => variant.Result.Contexts.Any(context => context.Accuracy is not null)))
            {
                yield return View(Evaluation.Accuracy, Evaluation.Accuracy, context => context.Accuracy, context => context.AccuracyDeviation);
            }
        }
    }

    private static IEnumerable<Chart> Views(ComparisonResult result, (ShownVariant Variant, BreakdownResult Breakdown)[] lines)
    {
        (long From, long To)[] bins = [.. lines.SelectMany(line => line.Breakdown.Bins.Select(bin => (bin.From, bin.To))).Distinct().Order()];
        var x = new Axis(lines[0].Breakdown.Meaning) { Categories = [.. bins.Select(bin => DetailFigures.Bin(bin.From, bin.To))] };
        Chart View(string name, string title, Func<BinResult, double?> value, Func<BinResult, double?> deviation, IEnumerable<Series> more) => new(name, x, new Axis(title),
        [
            .. lines.Select(line => Line(line.Variant, line.Breakdown.Bins.Select(bin => ((double)Array.IndexOf(bins, (bin.From, bin.To)), value(bin), deviation(bin), $"{Display.Range(bin.From, bin.To)}: {Display.Count(bin.Targets)} targets")))),
            .. more,
        ]);
        string axis = lines[0].Breakdown.Axis;
        if (lines.Any(line => line.Breakdown.Bins.Any(bin => bin.Accuracy is not null)) && result.RankedBy == Evaluation.Accuracy)
        {
            yield return View(Evaluation.Accuracy, Evaluation.Accuracy, bin => bin.Accuracy, bin => bin.AccuracyDeviation, Baselines(result, axis, bins, bin => bin.Accuracy));
        }

        yield return View("loss", ComparisonPage.Axis(result, FigureResult.Loss), bin => bin.Loss, bin => bin.LossDeviation, Baselines(result, axis, bins, bin => bin.Loss));
        if (lines.Any(line => line.Breakdown.Bins.Any(bin => bin.Accuracy is not null)) && result.RankedBy != Evaluation.Accuracy)
        {
            yield return View(Evaluation.Accuracy, Evaluation.Accuracy, bin => bin.Accuracy, bin => bin.AccuracyDeviation, Baselines(result, axis, bins, bin => bin.Accuracy));
        }
    }

    private static IEnumerable<Series> Baselines(ComparisonResult result, string axis, (long From, long To)[] bins, Func<ScoreBin, double?> value)
        => from baseline in result.Baselines
           where baseline.NGram is not null
           from breakdown in baseline.NGram!.Breakdowns
           where breakdown.Axis == axis && breakdown.Bins.Any(bin => value(bin) is not null)
           select new Series($"{baseline.NGram!.Order}-gram", [.. breakdown.Bins.Select(bin => Array.IndexOf(bins, (bin.From, bin.To)) is var at and >= 0 ? (double?)at : null)], [.. breakdown.Bins.Select(value)])
           {
               Kind = SeriesKind.Reference, Color = Color.Soft,
           };

    private static Series Line(ShownVariant variant, IEnumerable<(double X, double? Value, double? Deviation, string Label)> points)
    {
        (double X, double? Value, double? Deviation, string Label)[] known = [.. points.Where(point => point.Value is not null)];
        return new Series(variant.Name, [.. known.Select(point => (double?)point.X)], [.. known.Select(point => point.Value)])
        {
            Kind = SeriesKind.LineAndPoints, Color = variant.Color, Style = variant.Style, Size = 0.9, IsHidden = variant.IsHidden,
            Labels = known.All(point => point.Label.Length > 0) ? [.. known.Select(point => point.Label)] : null,
            Intervals = known.Any(point => point.Deviation is > 0) ? [.. known.Select(point => point.Deviation is { } deviation ? ((double, double)?)(point.Value!.Value - deviation, point.Value.Value + deviation) : null)] : null,
        };
    }

    private static string Deviations(bool any, IReadOnlyList<ShownVariant> variants) => (any ? "Bands are standard deviations over seeds. " : "") + ShownVariant.Hidden(variants);
}
