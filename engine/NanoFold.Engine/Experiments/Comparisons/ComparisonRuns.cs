using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>
/// The runs of a comparison in their order: the rates of every variant with the first seed, then, for each variant whose rates have all been tried, its seeds at the best one. A variant's runs belong
/// together while its rate is searched.
/// </summary>
public sealed class ComparisonRuns : IRunPlan
{
    private readonly Comparison _comparison;
    private readonly Dictionary<string, RunConfig> _configs, _trials;

    /// <exception cref="UserException">The settings of a variant have problems.</exception>
    public ComparisonRuns(Comparison comparison)
    {
        _comparison = comparison;
        _configs = comparison.Variants.ToDictionary(variant => variant.Name, variant => variant.Resolve());
        _trials = comparison.Variants.ToDictionary(variant => variant.Name, variant => variant.SearchSettings is null ? _configs[variant.Name] : variant.ResolveSearch());
    }

    /// <inheritdoc/>
    public int Total => _comparison.RunCount;

    /// <summary>The settings of a variant.</summary>
    public RunConfig ConfigOf(ComparedVariant variant) => _configs[variant.Name];

    /// <summary>The settings of a run.</summary>
    public RunConfig ConfigOf(ComparedRun run) => run.ConfigOf((run.IsTrial ? _trials : _configs)[run.Variant.Name]);

    /// <inheritdoc/>
    public IReadOnlyList<PlannedRun> Known(IReadOnlyDictionary<string, RunResult> ended) => Planned(ended, meanwhile: null);

    /// <summary>All runs, those too that are not known yet: a variant whose rates have not all been tried is counted with the first of them.</summary>
    /// <param name="folder">Of the set, which need not be there.</param>
    public IReadOnlyList<PlannedRun> Expected(string folder) => Planned(
        _comparison.Variants.SelectMany(_comparison.Search).Select(run => (run.Name, Result: RunResult.Find(RunSet.FolderOf(folder, run.Name)))).Where(run => run.Result is { IsOver: true }).ToDictionary(run => run.Name, run => run.Result!),
        meanwhile: _comparison.Points[0]);

    private IReadOnlyList<PlannedRun> Planned(IReadOnlyDictionary<string, RunResult> ended, RatePoint? meanwhile)
    {
        IReadOnlyList<ComparedRun>[] search = [.. _comparison.Variants.Select(_comparison.Search)];
        IReadOnlyList<ComparedRun>[] final = [.. _comparison.Variants.Zip(search, (variant, tried) => BestOf(tried, ended, meanwhile) is { } best ? _comparison.Final(variant, best) : [])];
        return [.. InTurn(search).Concat(InTurn(final)).DistinctBy(run => run.Name).Select(Planned)];
    }

    // Null where no rate gave a loss.
    private RatePoint? BestOf(IReadOnlyList<ComparedRun> tried, IReadOnlyDictionary<string, RunResult> ended, RatePoint? meanwhile)
        => tried.All(run => ended.ContainsKey(run.Name)) ? _comparison.Best(Comparison.SearchLosses([.. tried.Select(run => ended[run.Name]).Select(result => result.IsDone
            ? (result.Figure("fullValidationLoss"), result.Figure("validationLoss"))
            : default)])) : meanwhile;

    // The first of each variant, then the second of each: what is stopped early has as much of all.
    private static IEnumerable<ComparedRun> InTurn(IReadOnlyList<ComparedRun>[] runs)
        => Enumerable.Range(0, runs.Max(list => list.Count)).SelectMany(i => runs.Where(list => i < list.Count).Select(list => list[i]));

    private PlannedRun Planned(ComparedRun run) => new(run.Name, _comparison.Searches ? run.Variant.Folder : run.Name, ConfigOf(run));
}
