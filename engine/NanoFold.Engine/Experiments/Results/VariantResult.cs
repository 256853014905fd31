using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using NanoFold.Engine.Experiments.Statistics;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>What a variant costs and what its runs gave: those at its best learning rate, one for each seed.</summary>
public sealed record VariantResult
{
    /// <summary>Its name in the comparison.</summary>
    public required string Name { get; init; }

    /// <summary>Whether the others are compared with it.</summary>
    public required bool IsBase { get; init; }

    /// <summary>What it changes of the base.</summary>
    public JsonObject Settings { get; init; } = [];

    /// <summary>What was changed besides to hold equal what is to be equal: <c>model.width 128 → 120</c>.</summary>
    public IReadOnlyList<string> Solved { get; init; } = [];

    /// <summary>What is left of the difference in what is held equal, as a share of the budget; null where nothing is held equal.</summary>
    public double? Residual { get; init; }

    /// <summary>Parameters.</summary>
    public required long Parameters { get; init; }

    /// <summary>Forward and backward, by convention.</summary>
    public required long FlopsPerToken { get; init; }

    /// <summary>What decoding keeps for a sequence of full context ÷ its tokens; 0 where the model cannot be decoded.</summary>
    public required double CacheBytesPerToken { get; init; }

    /// <summary>Mean over seeds of the loss on what is held back; null where no run has finished.</summary>
    public double? ValidationLoss => Loss?.Mean;

    /// <summary>Of <see cref="ValidationLoss"/> over seeds; null of one.</summary>
    public double? StandardDeviation => Loss?.StandardDeviation;

    /// <summary>Of <see cref="ValidationLoss"/> to the base's, mean of the differences seed by seed.</summary>
    public double? PairedDifference => Loss?.Difference?.Mean;

    /// <summary>95 % interval of <see cref="PairedDifference"/> by Student's t; null of one seed.</summary>
    public Interval? Interval => Loss?.Difference?.Interval;

    /// <summary>What the differences show, in words.</summary>
    public string? Verdict { get; init; }

    /// <summary>Whether it may be the best of all, as far as these seeds show; null where they show nothing.</summary>
    public bool? MayBeBest { get; init; }

    /// <summary>Mean over runs.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>The most that a process held.</summary>
    public long? PeakBytes { get; init; }

    /// <summary>Tokens that a run trained on, mean over runs.</summary>
    public double? Tokens { get; init; }

    /// <summary>FLOPs that a run spent on training, mean over runs.</summary>
    public double? TrainingFlops { get; init; }

    /// <summary>Wall time of a run, mean over runs.</summary>
    public double? Seconds { get; init; }

    /// <summary>The learning rate that its seeds ran with.</summary>
    public double? LearningRate { get; init; }

    /// <summary>The weight decay that its seeds ran with, where it was searched.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>The search for them, by rate; empty where none was made.</summary>
    public IReadOnlyList<SearchTrial> Search { get; init; } = [];

    /// <summary>What the held-back rows gave: the loss first.</summary>
    public IReadOnlyList<FigureResult> Figures { get; init; } = [];

    /// <summary>The held-back targets told apart by position, by frequency and so on, from <c>evaluation.json</c> of the runs.</summary>
    public IReadOnlyList<BreakdownResult> Breakdowns { get; init; } = [];

    /// <summary>On rows as long as in training, twice and four times as long, from the same files.</summary>
    public IReadOnlyList<ContextResult> Contexts { get; init; } = [];

    /// <summary>Geometry after training, by layer, where measured.</summary>
    public IReadOnlyList<GeometryResult> Geometry { get; init; } = [];

    /// <summary>The runs that this is of, by seed, whatever became of them.</summary>
    public IReadOnlyList<CollectedRun> Runs { get; init; } = [];

    /// <summary>The figure of that name, or null.</summary>
    public FigureResult? Figure(string name) => Figures.FirstOrDefault(figure => figure.Name == name);

    [JsonIgnore]
    private FigureResult? Loss => Figure(FigureResult.Loss);
}
