using NanoFold.Engine.Corpora;
using NanoFold.Engine.Geometry.Measures;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>What is measured of a run after training, and of which of its checkpoints.</summary>
public sealed record SurveyOptions
{
    /// <summary>What is measured.</summary>
    public required IReadOnlyList<Measure> Measures { get; init; }

    /// <summary>A text in place of the run's own; null for that one.</summary>
    public string? Data { get; init; }

    /// <summary>How that text is read.</summary>
    public CorpusOptions? Reading { get; init; }

    /// <summary>A prompt in place of a text; null for none.</summary>
    public string? Prompt { get; init; }

    /// <summary>Whether the name of a special token in the prompt is that token, and not text.</summary>
    public bool ParseSpecial { get; init; }

    /// <summary>Settings of the task, <c>task=grammar</c>, <c>task.pairs=8</c>.</summary>
    public IReadOnlyList<string> TaskSettings { get; init; } = [];

    /// <summary><c>all</c>, <c>last</c> or steps with commas.</summary>
    public string Checkpoints { get; init; } = "all";

    /// <summary>Besides the model itself, at the last of its checkpoints.</summary>
    public IReadOnlyList<SurveyControl> Controls { get; init; } = [];

    /// <summary>A file of labels of the text's tokens; null for none.</summary>
    public string? Labels { get; init; }

    /// <summary>Another run or checkpoint to compare with; null for none.</summary>
    public string? Against { get; init; }

    /// <summary>The points whose activations are written, with <c>*</c> and <c>?</c>; null for none.</summary>
    public string? Dump { get; init; }

    /// <summary>Tokens whose stream is measured; null for as many as in training.</summary>
    public int? Tokens { get; init; }

    /// <summary>Those of them whose neighbors are searched; null for as many as in training.</summary>
    public int? Neighbors { get; init; }

    /// <summary>Decides every draw besides that of the tokens.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>What a figure is held against.</summary>
public enum SurveyControl
{
    /// <summary>The model itself.</summary>
    None,

    /// <summary>A model of the same configuration, not trained.</summary>
    Untrained,

    /// <summary>The model on the same tokens in an order drawn at random.</summary>
    Shuffled,

    /// <summary>As many points of a Gaussian with the same mean and covariance in place of the tokens' values.</summary>
    Gaussian,
}
