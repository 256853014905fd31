using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>What a comparison is planned with, besides what is written in it.</summary>
public sealed record PlanOptions
{
    /// <summary>The preset that the base begins with; null for what its settings say.</summary>
    public string? Preset { get; init; }

    /// <summary>Settings laid over those of the base, <c>train.steps=500</c>.</summary>
    public IReadOnlyList<string> Settings { get; init; } = [];

    /// <summary>A configuration with its vocabulary known; a text that is there already tells it exactly.</summary>
    public Func<RunConfig, RunConfig> WithVocab { get; init; } = RunVocab.Expect;
}
