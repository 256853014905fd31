using System.Text.Json.Serialization;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>How far a run of a set came.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CollectedState>))]
public enum CollectedState
{
    /// <summary>It ended as it was meant to; only such runs enter statistics.</summary>
    [JsonStringEnumMemberName("finished")]
    Finished,

    /// <summary>It has begun and has not ended: interrupted, or still under way.</summary>
    [JsonStringEnumMemberName("unfinished")]
    Unfinished,

    /// <summary>It ended with a fault, or what it ended with is no number.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>It was not begun.</summary>
    [JsonStringEnumMemberName("missing")]
    Missing,
}

/// <summary>What a run of a set gave, read from its folder: <c>result.json</c>, <c>config.json</c> and <c>metrics.jsonl</c>.</summary>
public sealed record CollectedRun
{
    /// <summary>The run's folder, from the folder of the set: <c>runs/window-seed-2</c>. Its <c>metrics.jsonl</c> has the curve of its loss.</summary>
    public required string Run { get; init; }

    /// <summary>The variant that it is of.</summary>
    public required string Variant { get; init; }

    /// <summary>The seed.</summary>
    public required long Seed { get; init; }

    /// <summary>The learning rate; null where neither comparison nor folder says.</summary>
    public double? LearningRate { get; init; }

    /// <summary>The weight decay; null where the search leaves it as it is.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>How far it came.</summary>
    public required CollectedState State { get; init; }

    /// <summary>Why it failed, in a line.</summary>
    public string? Fault { get; init; }

    /// <summary>Why it ended: <c>finished</c>, <c>out-of-time</c> and so on.</summary>
    public string? End { get; init; }

    /// <summary>Steps taken.</summary>
    public long Steps { get; init; }

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; init; }

    /// <summary>Spent on training, by the convention of <c>flopsPerToken</c>.</summary>
    public double Flops { get; init; }

    /// <summary>Of the clock on the wall, all starts together.</summary>
    public double Seconds { get; init; }

    /// <summary>Training tokens a second, evaluations not counted.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>The most memory that the process held.</summary>
    public long? PeakBytes { get; init; }

    /// <summary>Mean loss of the last steps.</summary>
    public double? TrainLoss { get; init; }

    /// <summary>By name what the last evaluation gave on the windows or rows of all evaluations: <c>loss</c>, of text <c>bitsPerByte</c>, and what the task scores.</summary>
    public IReadOnlyDictionary<string, double> Validation { get; init; } = new Dictionary<string, double>();

    /// <summary>The same on all that is held back; empty where the run was too short for that.</summary>
    public IReadOnlyDictionary<string, double> FullValidation { get; init; } = new Dictionary<string, double>();

    /// <summary>Where it ran: <c>cpu</c>.</summary>
    public string? Device { get; init; }

    /// <summary>With how many threads.</summary>
    public int? Threads { get; init; }

    /// <summary>The instruction set of the processor that was used.</summary>
    public string? InstructionSet { get; init; }
}
