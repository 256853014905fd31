using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>What <c>evaluation.json</c> of several runs says, averaged over them. Nothing is averaged where they are of different rows: it would be of no text and no task.</summary>
internal static class EvaluationAverage
{
    /// <summary>Bin by bin; bins that not every run has are left out, for their means would be of other runs.</summary>
    public static IReadOnlyList<BreakdownResult> Breakdowns(IReadOnlyList<DetailedEvaluation> runs) => !AreAlike(runs) ? [] :
    [
        .. from axis in runs.SelectMany(run => run.Breakdowns).GroupBy(breakdown => breakdown.Axis)
           let first = axis.First()
           let bins = axis.SelectMany(breakdown => breakdown.Bins).GroupBy(bin => (bin.From, bin.To)).Where(bin => bin.Count() == runs.Count).OrderBy(bin => bin.Key.From)
           select new BreakdownResult(first.Axis, first.Meaning, first.Scale, [.. bins.Select(bin => BinOf([.. bin]))]),
    ];

    /// <summary>Length by length.</summary>
    public static IReadOnlyList<ContextResult> Contexts(IReadOnlyList<DetailedEvaluation> runs)
        => !AreAlike(runs) ? [] : [.. runs.SelectMany(run => run.Contexts).GroupBy(context => (context.Factor, context.Context)).OrderBy(context => context.Key.Factor).Select(context => ContextOf([.. context]))];

    private static bool AreAlike(IEnumerable<DetailedEvaluation> runs) => runs.Select(run => (run.Name, run.Context, run.Rows, run.AllRows, run.Targets)).Distinct().Count() <= 1;

    private static BinResult BinOf(ScoreBin[] bins)
    {
        SampleSummary loss = SampleSummary.Of([.. bins.Select(bin => bin.Loss)]);
        (double? accuracy, double? deviation) = Scored([.. bins.Select(bin => bin.Accuracy)]);
        return new BinResult(bins[0].From, bins[0].To, bins.Average(bin => (double)bin.Targets), loss.Mean, loss.StandardDeviation, accuracy, deviation);
    }

    private static ContextResult ContextOf(ContextEvaluation[] runs)
    {
        (double? loss, double? lossDeviation) = Scored([.. runs.Select(run => run.Loss)]);
        (double? accuracy, double? accuracyDeviation) = Scored([.. runs.Select(run => run.Scores.Where(score => score.Name == Evaluation.Accuracy).Select(score => (double?)score.Value).FirstOrDefault())]);
        return new ContextResult(runs[0].Factor, runs[0].Context, loss, lossDeviation, accuracy, accuracyDeviation, runs.Select(run => run.WhyNot).FirstOrDefault(why => why is not null));
    }

    private static (double? Mean, double? Deviation) Scored(double?[] values)
        => values.Any(value => value is null) || SampleSummary.Of([.. values.Select(value => value!.Value)]) is not { } summary ? (null, null) : (summary.Mean, summary.StandardDeviation);
}
