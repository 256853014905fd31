using NanoFold.Engine.Experiments.Baselines;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>
/// From the folder of a comparison to what it gave. It reads whatever is there: runs that failed or are missing are named, and enter no mean. A variant's figures are of its runs at its best
/// learning rate, one for each seed.
/// </summary>
public static class ResultCollector
{
    /// <summary>The result of the comparison in a folder.</summary>
    /// <exception cref="UserException">There is none, or a file of it cannot be read.</exception>
    public static ComparisonResult Collect(string folder) => Collect(folder, Comparison.Load(folder));

    /// <summary>The result of a comparison, from its folder.</summary>
    /// <exception cref="UserException">A file of it cannot be read.</exception>
    public static ComparisonResult Collect(string folder, Comparison comparison)
    {
        var reader = new RunReader(folder);
        CollectedVariant[] collected = [.. comparison.Variants.Select(variant => CollectedVariant.Of(comparison, variant, reader))];
        CollectedVariant[] found = [.. collected.Where(variant => variant.Finished.Count > 0)];
        bool isFull = found.Length > 0 && found.SelectMany(variant => variant.Finished).All(run => run.FullValidation.ContainsKey(FigureResult.Loss));
        string rankedBy = RankedBy(found, isFull);
        IReadOnlyDictionary<string, IReadOnlyList<FigureResult>> figures = Figures(found, comparison.Reference, isFull);
        IReadOnlyList<bool?> best = BestSet.Of([.. found.Select(variant => BySeed(variant, rankedBy, isFull))], FigureResult.IsLowerBetter(rankedBy) ?? true);
        RunConfig config = collected.First(variant => variant.IsBase).Config;
        IReadOnlyList<BaselineEntry> baselines = BaselineFile.Find(folder)?.Baselines ?? [];
        var result = new ComparisonResult
        {
            Title = ResultWords.Title(comparison, config),
            Equal = comparison.Equal == EqualKind.None ? null : ResultWords.Key(comparison.Equal),
            Task = config.Task.Kind,
            LossUnit = UnitOf(config).Name,
            RankedBy = rankedBy,
            IsOfAllHeldBack = isFull,
            Base = comparison.Reference,
            Seeds = comparison.Seeds,
            Variants = Ranked([.. collected.Select(variant => variant.Result(folder, figures.GetValueOrDefault(variant.Plan.Name) ?? [], Array.IndexOf(found, variant) is >= 0 and var at ? best[at] : null))], rankedBy),
            AllRuns = [.. collected.SelectMany(variant => variant.All).DistinctBy(run => run.Run)],
            Baselines = baselines,
            References = ReferenceResult.Of(config, baselines, isFull),
        };
        result = result with { Variants = [.. result.Variants.Select(variant => variant with { Verdict = ResultWords.Verdict(result, variant) })] };
        return result with { Summary = [.. ResultWords.Summary(result, comparison)] };
    }

    // Accuracy where the task has it. Losses of different tokenizers are of different tokens; bits per byte compare.
    private static string RankedBy(CollectedVariant[] found, bool isFull)
    {
        bool All(string figure) => found.Length > 0 && found.SelectMany(variant => variant.Finished).All(run => Of(run, isFull).ContainsKey(figure));
        return All(Evaluation.Accuracy) ? Evaluation.Accuracy
            : All(FigureResult.BitsPerByte) && found.Select(variant => variant.Config.Tokenizer).Distinct().Count() > 1 ? FigureResult.BitsPerByte
            : FigureResult.Loss;
    }

    private static LossUnit UnitOf(RunConfig config)
    {
        if (config.Task.IsText)
        {
            return LossUnit.NatsPerToken;
        }

        using LearningTask task = TrainData.Sketch(config);
        return task.Unit;
    }

    /// <summary>A run's figures on what is held back: of all of it, or of the rows of every evaluation.</summary>
    private static IReadOnlyDictionary<string, double> Of(CollectedRun run, bool isFull) => isFull ? run.FullValidation : run.Validation;

    private static Dictionary<long, double> BySeed(CollectedVariant variant, string figure, bool isFull)
        => variant.Finished.Where(run => Of(run, isFull).ContainsKey(figure)).ToDictionary(run => run.Seed, run => Of(run, isFull)[figure]);

    // By variant; each figure's differences are corrected together.
    private static Dictionary<string, IReadOnlyList<FigureResult>> Figures(CollectedVariant[] variants, string reference, bool isFull)
    {
        var figures = variants.ToDictionary(variant => variant.Plan.Name, _ => new List<FigureResult>());
        string[] names = [.. variants.SelectMany(variant => variant.Finished).SelectMany(run => Of(run, isFull).Keys).Distinct().OrderBy(name => name != FigureResult.Loss)];
        foreach (string name in names)
        {
            Dictionary<long, double>[] values = [.. variants.Select(variant => BySeed(variant, name, isFull))];
            Dictionary<long, double>? baseline = values.Zip(variants).FirstOrDefault(pair => pair.Second.Plan.Name == reference).First;
            IReadOnlyList<PairedDifference?> differences = PairedDifference.Corrected([.. variants.Zip(values, (variant, own) => variant.Plan.Name == reference || baseline is null || FigureResult.IsLowerBetter(name) is null
                ? null
                : PairedDifference.Of([.. own.Keys.Where(baseline.ContainsKey).Order().Select(seed => (own[seed], baseline[seed]))]))]);
            for (int i = 0; i < variants.Length; i++)
            {
                if (values[i].Count > 0)
                {
                    SampleSummary summary = SampleSummary.Of([.. values[i].OrderBy(pair => pair.Key).Select(pair => pair.Value)]);
                    figures[variants[i].Plan.Name].Add(new FigureResult(name, summary.Mean, summary.StandardDeviation, summary.Count, differences[i]));
                }
            }
        }

        return figures.ToDictionary(pair => pair.Key, pair => (IReadOnlyList<FigureResult>)pair.Value);
    }

    // The best first, those without a result last; variants that are alike by accuracy by their loss.
    private static VariantResult[] Ranked(VariantResult[] variants, string rankedBy)
    {
        double Place(VariantResult variant, string figure) => variant.Figure(figure) is { } found ? (FigureResult.IsLowerBetter(figure) == false ? -found.Mean : found.Mean) : double.PositiveInfinity;
        return [.. variants.OrderBy(variant => Place(variant, rankedBy)).ThenBy(variant => Place(variant, FigureResult.Loss))];
    }
}
