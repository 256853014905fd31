using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>What the runs of a comparison have in common, so that their results may be compared.</summary>
public enum EqualKind
{
    /// <summary>Parameters, trained on as many tokens: widths are solved for.</summary>
    [JsonStringEnumMemberName("params")]
    Parameters,

    /// <summary>FLOPs of the training, on as many tokens: widths are solved for.</summary>
    Flops,

    /// <summary>Tokens; models are as they are written.</summary>
    Tokens,

    /// <summary>Wall time of each run; models are as they are written.</summary>
    Seconds,

    /// <summary>Nothing: every variant is as it is written.</summary>
    None,
}

/// <summary>What is changed in a variant until it is as large as the others.</summary>
public enum FitKind
{
    /// <summary>The width, then what is left by the hidden width; the hidden width alone where a variant differs in its feed-forward only.</summary>
    Auto,

    /// <summary><c>model.width</c> alone.</summary>
    Width,

    /// <summary><c>model.hidden</c> alone.</summary>
    Hidden,
}

/// <summary>
/// A comparison as it is written: what variants share, what each of them changes, what is held equal, over which seeds and learning rates. Made by <see cref="ComparisonTree"/> out of a
/// file and single settings; <see cref="ComparisonPlan"/> makes of it what is run.
/// </summary>
public sealed record ComparisonFile : IValidated
{
    /// <summary>Settings of a run that all variants share, nested as in a configuration or by dotted keys.</summary>
    public ConfigOverlay<RunConfig> Base { get; init; } = new();

    /// <summary>What each variant changes of the base, by its name; nothing makes it the base itself.</summary>
    public IReadOnlyDictionary<string, ConfigOverlay<RunConfig>> Variants { get; init; } = new OrderedDictionary<string, ConfigOverlay<RunConfig>>();

    /// <summary>Settings with a list of values each: every variant is compared with each of them, <c>{ "model.width": [32, 64, 128] }</c>.</summary>
    public ConfigOverlay<RunConfig> Grid { get; init; } = new();

    /// <summary>What is learned, as <c>base.task</c>.</summary>
    public TaskConfig? Task { get; init; }

    /// <summary>A file, folder or pattern of text, as <c>base.data.path</c>.</summary>
    public string? Data { get; init; }

    /// <summary>What is held equal.</summary>
    public EqualKind Equal { get; init; } = EqualKind.Parameters;

    /// <summary>How much of it: parameters, FLOPs of a whole training, tokens or seconds; null for as much as the base has.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double? Budget { get; init; }

    /// <summary>What is changed in a variant until it is as large as the others.</summary>
    public FitKind Fit { get; init; }

    /// <summary>The variant that others are compared with; null for the one that is the base, or the first where none is.</summary>
    public string? Reference { get; init; }

    /// <summary>The values of train.seed that every variant is trained with.</summary>
    public IReadOnlyList<long> Seeds { get; init; } = [1];

    /// <summary>
    /// The learning rates of which each variant takes the best one: a list, or { "from", "to", "count" } for rates at equal ratios. They are tried with the first seed. None for the one in the settings.
    /// </summary>
    public IReadOnlyList<double> LearningRates { get; init; } = [];

    /// <summary>Values of train.weightDecay that are tried with each learning rate; none for the one in the settings.</summary>
    public IReadOnlyList<double> WeightDecays { get; init; } = [];

    /// <summary>The share of its steps that a run takes to try a rate; below 1 the best rate is trained again in full.</summary>
    [Bounds(0, 1, AboveMinimum = true)]
    public double SearchShare { get; init; } = 1;

    /// <summary>
    /// The width at which rates are tried, in place of those that are compared: all models are then in the maximal update parametrization (<c>model.parametrization</c>, µP) of that width, in which the best
    /// rate stays the best at others. Null for the widths that are compared.
    /// </summary>
    [Bounds(1, 1 << 16)]
    public int? TransferWidth { get; init; }

    /// <summary>Where each of its keys stands.</summary>
    internal ConfigPlaces Places { get; init; } = new();

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate()
    {
        ConfigProblem?[] problems =
        [
            TransferWidth is not null && Math.Max(1, LearningRates.Count) * Math.Max(1, WeightDecays.Count) < 2 ? new ConfigProblem("transferWidth", "is where rates are tried, and none are; name them in learningRates") : null,
            Seeds.Count == 0 ? new ConfigProblem("seeds", "is empty; a seed is needed at least") : null,
            .. Outside("seeds", Seeds, seed => seed >= 0, "at least 0"),
            .. Outside("learningRates", LearningRates, rate => rate > 0, "more than 0"),
            .. Outside("weightDecays", WeightDecays, decay => decay >= 0, "at least 0"),
        ];
        return problems.OfType<ConfigProblem>();
    }

    // Each value within bounds, and once.
    private static IEnumerable<ConfigProblem?> Outside<T>(string key, IReadOnlyList<T> values, Func<T, bool> isInside, string bounds)
        where T : IFormattable
        => values.Select((value, i) => !isInside(value)
            ? new ConfigProblem($"{key}.{i}", FormattableString.Invariant($"expected a number of {bounds}, got {value}"))
            : values.Take(i).Contains(value) ? new ConfigProblem($"{key}.{i}", FormattableString.Invariant($"{value} is there twice")) : null);
}
