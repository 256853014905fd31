using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>
/// A comparison in full: every variant with its settings, its size and what is left of the difference to the others, and which runs there are. The file <see cref="FileName"/> of its folder
/// holds it, so that runs are begun, collected and reported without the file that it was written in.
/// </summary>
public sealed record Comparison : IValidated
{
    /// <summary>The file's name in the folder of a comparison.</summary>
    public const string FileName = "comparison.json";

    /// <summary>The version that is written.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of the file.</summary>
    [Bounds(1, CurrentVersion)]
    public int Version { get; init; } = CurrentVersion;

    /// <inheritdoc cref="ComparisonFile.Equal"/>
    public EqualKind Equal { get; init; }

    /// <summary>How much of it each variant has: parameters, FLOPs of a training, tokens or seconds; null where nothing is held equal.</summary>
    public double? Budget { get; init; }

    /// <summary>The name of the variant that the others are compared with.</summary>
    public string Reference { get; init; } = "";

    /// <inheritdoc cref="ComparisonFile.Seeds"/>
    public IReadOnlyList<long> Seeds { get; init; } = [];

    /// <summary>The learning rates that are tried for each variant; none where nothing is searched.</summary>
    public IReadOnlyList<double> LearningRates { get; init; } = [];

    /// <inheritdoc cref="ComparisonFile.WeightDecays"/>
    public IReadOnlyList<double> WeightDecays { get; init; } = [];

    /// <inheritdoc cref="ComparisonFile.SearchShare"/>
    [Bounds(0, 1, AboveMinimum = true)]
    public double SearchShare { get; init; } = 1;

    /// <inheritdoc cref="ComparisonFile.TransferWidth"/>
    public int? TransferWidth { get; init; }

    /// <summary>What is compared, in the order in which it was written.</summary>
    public IReadOnlyList<ComparedVariant> Variants { get; init; } = [];

    /// <summary>What is tried with the first seed: every learning rate with every weight decay; one point where nothing is searched.</summary>
    public IReadOnlyList<RatePoint> Points =>
    [
        .. from rate in LearningRates.Count > 0 ? LearningRates.Select(rate => (double?)rate) : [null]
           from decay in WeightDecays.Count > 0 ? WeightDecays.Select(decay => (double?)decay) : [null]
           select new RatePoint(rate, decay),
    ];

    /// <summary>Whether the rate of a variant has to be found before its seeds are trained.</summary>
    public bool Searches => Points.Count > 1;

    /// <summary>Whether the runs that try rates are others than those that count.</summary>
    public bool HasTrials => Searches && (SearchShare < 1 || TransferWidth is not null);

    /// <summary>The variant that the others are compared with.</summary>
    public ComparedVariant ReferenceVariant => Variants.First(variant => variant.Name == Reference);

    /// <summary>The runs that try a variant's rates, with the first seed; none where nothing is searched.</summary>
    public IReadOnlyList<ComparedRun> Search(ComparedVariant variant)
        => Searches ? [.. Points.Select(point => new ComparedRun(variant, point, Seeds[0], SearchShare, HasTrials))] : [];

    /// <summary>The runs that count: one for each seed, at the best rate. The first of them is one of the search, where those count.</summary>
    public IReadOnlyList<ComparedRun> Final(ComparedVariant variant, RatePoint best) => [.. Seeds.Select(seed => new ComparedRun(variant, best, seed))];

    /// <summary>The losses that a search goes by: on all that is held back where every run has that, otherwise on the rows of every evaluation, for the two do not compare.</summary>
    /// <param name="losses">Of each run that tried a rate: on all, and on these rows; null where it gave none.</param>
    public static IReadOnlyList<double?> SearchLosses(IReadOnlyList<(double? Full, double? Part)> losses)
        => [.. losses.Select(loss => losses.All(each => each.Full is not null || each.Part is null) ? loss.Full : loss.Part ?? loss.Full)];

    /// <summary>The point of the search with the smallest loss; null where none has a finite one.</summary>
    /// <param name="losses">Of each of <see cref="Points"/>; null or not finite where a run failed.</param>
    public RatePoint? Best(IReadOnlyList<double?> losses)
    {
        IReadOnlyList<RatePoint> points = Points;
        return !Searches ? points[0] : points.Zip(losses).Where(pair => pair.Second is { } loss && double.IsFinite(loss)).OrderBy(pair => pair.Second).Select(pair => pair.First).FirstOrDefault();
    }

    /// <summary>Whether a point of the search is at an end of the learning rates, so that a better one may lie beyond.</summary>
    public bool IsAtEdge(RatePoint point) => LearningRates.Count > 1 && (point.LearningRate == LearningRates.Min() || point.LearningRate == LearningRates.Max());

    /// <summary>Runs of all variants, as many as there are at most: the search, and the seeds that it has not trained.</summary>
    public int RunCount => Variants.Count * ((Searches ? Points.Count : 0) + Seeds.Count - (Searches && !HasTrials ? 1 : 0));

    /// <summary>Reads the comparison of a folder.</summary>
    /// <exception cref="UserException">There is none, or it cannot be read.</exception>
    public static Comparison Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            throw new UserException($"{folder}: is not the folder of a comparison; there is no {FileName} in it");
        }

        return new ConfigTree<Comparison>().AddFile(path).Build();
    }

    /// <summary>The text of <see cref="FileName"/>.</summary>
    public string ToJson() => ConfigJson.ToText(ConfigWriter.ToTree(this, typeof(Comparison))!);

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate()
    {
        if (Seeds.Count == 0)
        {
            yield return new ConfigProblem("seeds", "is empty");
        }

        if (Variants.All(variant => variant.Name != Reference))
        {
            yield return new ConfigProblem("reference", $"there is no variant \"{Reference}\"");
        }
    }
}

/// <summary>A variant with its size.</summary>
public sealed record ComparedVariant
{
    /// <summary>As it was named.</summary>
    public string Name { get; init; } = "";

    /// <summary>The beginning of the names of its runs' folders.</summary>
    public string Folder { get; init; } = "";

    /// <summary>What it changes of the base.</summary>
    public ConfigOverlay<RunConfig> Changes { get; init; } = new();

    /// <summary>What was changed besides to hold equal what is to be equal.</summary>
    public IReadOnlyList<SolvedSetting> Solved { get; init; } = [];

    /// <summary>N, all parameters.</summary>
    public long Parameters { get; init; }

    /// <summary>Of a training, by the convention of shares of a peak.</summary>
    public long FlopsPerToken { get; init; }

    /// <summary>Bytes that decoding keeps per token of a full context, in float32; 0 where the model cannot be decoded.</summary>
    public double CacheBytesPerToken { get; init; }

    /// <summary>Tokens of a run, of all steps; 0 where time ends it.</summary>
    public long Tokens { get; init; }

    /// <summary>What is left of the difference in what is held equal, as a share of the budget: 0.004 is 0.4 % more; null where nothing is.</summary>
    public double? Residual { get; init; }

    /// <summary>All settings of its runs, with the first seed and the rates that a search replaces.</summary>
    public ConfigOverlay<RunConfig> Settings { get; init; } = new();

    /// <summary><see cref="Settings"/>, resolved.</summary>
    /// <exception cref="ConfigException">They have problems.</exception>
    public RunConfig Resolve() => new ConfigTree().Add(Settings).Build();

    /// <summary>All settings of the runs that try its rates, where they have another width; null where they are <see cref="Settings"/>.</summary>
    public ConfigOverlay<RunConfig>? SearchSettings { get; init; }

    /// <summary><see cref="SearchSettings"/>, or else <see cref="Settings"/>, resolved.</summary>
    /// <exception cref="ConfigException">They have problems.</exception>
    public RunConfig ResolveSearch() => SearchSettings is null ? Resolve() : new ConfigTree().Add(SearchSettings).Build();

    /// <summary>FLOPs of a whole training; 0 where time ends it.</summary>
    public double Flops => (double)FlopsPerToken * Tokens;
}

/// <summary>A setting that was solved for.</summary>
public sealed record SolvedSetting
{
    /// <summary>Its key: <c>model.width</c>.</summary>
    public string Key { get; init; } = "";

    /// <summary>What it was.</summary>
    public long From { get; init; }

    /// <summary>What it is.</summary>
    public long To { get; init; }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Key} {From} → {To}");
}
