using System.Text.Json.Nodes;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>A variant with what its runs left.</summary>
/// <param name="Plan">What it is.</param>
/// <param name="Config">Its settings.</param>
/// <param name="Point">The rates that its seeds run with; null where the search gave none.</param>
/// <param name="Search">The trials.</param>
/// <param name="Runs">One for each seed, whatever became of it.</param>
/// <param name="All">Both.</param>
/// <param name="IsBase">Whether the others are compared with it.</param>
internal sealed record CollectedVariant(
    ComparedVariant Plan, RunConfig Config, RatePoint? Point, IReadOnlyList<SearchTrial> Search, IReadOnlyList<CollectedRun> Runs, IReadOnlyList<CollectedRun> All, bool IsBase)
{
    /// <summary>Those that enter means.</summary>
    public IReadOnlyList<CollectedRun> Finished { get; } = [.. Runs.Where(run => run.State == CollectedState.Finished)];

    public static CollectedVariant Of(Comparison comparison, ComparedVariant variant, RunReader reader)
    {
        RunConfig config = variant.Resolve();
        double? learningRate = config.Train.LearningRate;
        CollectedRun[] trials = [.. comparison.Search(variant).Select(run => reader.Read(run, learningRate))];
        IReadOnlyList<double?> losses = Comparison.SearchLosses([.. trials.Select(trial => (LossOf(trial, trial.FullValidation), LossOf(trial, trial.Validation)))]);
        RatePoint? best = comparison.Best(losses);
        CollectedRun[] runs = best is null ? [] : [.. comparison.Final(variant, best).Select(run => reader.Read(run, learningRate))];
        SearchTrial[] search = [.. trials.Zip(comparison.Points, losses).Select(each => new SearchTrial(each.First.LearningRate ?? double.NaN, each.First.WeightDecay, each.Third, each.First.State, each.First.Run, each.Second == best))];
        return new CollectedVariant(variant, config, best, [.. search.OrderBy(trial => trial.WeightDecay).ThenBy(trial => trial.LearningRate)], runs, [.. trials, .. runs], variant.Name == comparison.Reference);
    }

    /// <param name="folder">Of the comparison.</param>
    /// <param name="figures">On what is held back.</param>
    /// <param name="mayBeBest">Of all variants.</param>
    public VariantResult Result(string folder, IReadOnlyList<FigureResult> figures, bool? mayBeBest)
    {
        string[] folders = [.. Finished.Select(run => Path.Combine(folder, run.Run))];
        DetailedEvaluation[] evaluations = [.. folders.Select(DetailedEvaluation.Find).OfType<DetailedEvaluation>()];
        return new VariantResult
        {
            Name = Plan.Name,
            IsBase = IsBase,
            Settings = (JsonObject)Plan.Changes.Tree.DeepClone(),
            Solved = [.. Plan.Solved.Select(solved => solved.ToString())],
            Residual = Plan.Residual,
            Parameters = Plan.Parameters,
            FlopsPerToken = Plan.FlopsPerToken,
            CacheBytesPerToken = Plan.CacheBytesPerToken,
            MayBeBest = mayBeBest,
            TokensPerSecond = Finished.Average(run => run.TokensPerSecond),
            PeakBytes = Finished.Max(run => run.PeakBytes),
            Tokens = Mean(run => run.Tokens),
            TrainingFlops = Mean(run => run.Flops),
            Seconds = Mean(run => run.Seconds),
            LearningRate = Point is null ? null : Runs.Select(run => run.LearningRate).FirstOrDefault(),
            WeightDecay = Point?.WeightDecay,
            Search = Search,
            Figures = figures,
            Breakdowns = evaluations.Length == Finished.Count ? EvaluationAverage.Breakdowns(evaluations) : [],
            Contexts = evaluations.Length == Finished.Count ? EvaluationAverage.Contexts(evaluations) : [],
            Geometry = GeometryReader.Read(folders),
            Runs = Runs,
        };
    }

    private static double? LossOf(CollectedRun run, IReadOnlyDictionary<string, double> figures)
        => run.State == CollectedState.Finished && figures.TryGetValue(FigureResult.Loss, out double loss) ? loss : null;

    private double? Mean(Func<CollectedRun, double> figure) => Finished.Count == 0 ? null : Finished.Average(figure);
}
