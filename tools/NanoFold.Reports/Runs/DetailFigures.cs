using NanoFold.Engine;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Runs;

/// <summary>What <c>evaluation.json</c> of a run says beyond one number.</summary>
internal static class DetailFigures
{
    public static IEnumerable<Figure> Of(RunRecord run)
    {
        if (DetailedEvaluation.Find(run.FullPath) is not { } evaluation)
        {
            yield break;
        }

        foreach (ScoreBreakdown breakdown in evaluation.Breakdowns)
        {
            yield return new Figure($"By {Display.Words(breakdown.Axis)}", [.. Views(evaluation, breakdown)])
            {
                IsHalf = true, Height = 340, Caption = $"{Display.Count(breakdown.Bins.Sum(bin => bin.Targets))} targets of {Display.Count(evaluation.Rows)} rows, after {Display.Count(evaluation.Step)} steps.",
            };
        }

        ContextEvaluation[] contexts = [.. evaluation.Contexts.Where(context => context.Loss is not null)];
        if (contexts.Length > 1)
        {
            yield return new Figure("On longer rows", new Chart("loss", new Axis("context (tokens)") { IsLogarithmic = true, Marks = [.. contexts.Select(context => (double)context.Context)] }, new Axis($"loss ({evaluation.Unit})"),
                new Series("loss", [.. contexts.Select(context => (double?)context.Context)], [.. contexts.Select(context => context.Loss)]) { Kind = SeriesKind.LineAndPoints }))
            {
                IsHalf = true, Height = 340, Caption = string.Join(" ", evaluation.Contexts.Select(context => context.WhyNot).OfType<string>().Distinct().Select(why => $"Not longer: {why}.")),
            };
        }
    }

    /// <summary>A bin on an axis, where there is little room: <c>8–15</c>, <c>10k–100k</c> (less than the latter).</summary>
    public static string Bin(long from, long to)
    {
        (long unit, string prefix) = from >= 1_000_000 ? (1_000_000L, "M") : (1000L, "k");
        return from >= 1000 && from % unit == 0 && (to + 1) % unit == 0 ? $"{from / unit}{prefix}–{(to + 1) / unit}{prefix}" : Display.Range(from, to);
    }

    private static IEnumerable<Chart> Views(DetailedEvaluation evaluation, ScoreBreakdown breakdown)
    {
        var x = new Axis(breakdown.Meaning) { Categories = [.. breakdown.Bins.Select(bin => Bin(bin.From, bin.To))] };
        Series Line(string name, Func<ScoreBin, double?> value) => new(name, [.. breakdown.Bins.Select((_, at) => (double?)at)], [.. breakdown.Bins.Select(value)])
        {
            Kind = SeriesKind.LineAndPoints, Labels = [.. breakdown.Bins.Select(bin => $"{Display.Range(bin.From, bin.To)}: {Display.Count(bin.Targets)} targets")],
        };
        yield return new Chart("loss", x, new Axis($"loss ({evaluation.Unit})"), Line("loss", bin => bin.Loss));
        if (breakdown.Bins.Any(bin => bin.Accuracy is not null))
        {
            yield return new Chart("accuracy", x, new Axis("accuracy") { HasZero = true }, Line("accuracy", bin => bin.Accuracy));
        }
    }
}
