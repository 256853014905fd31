using System.Text.Json.Serialization;

namespace NanoFold.Engine.Tasks;

/// <summary>What a model scored over a fixed set of rows.</summary>
/// <param name="Loss">Mean over the targets; of a language head nats per token.</param>
/// <param name="BitsPerByte">Σ nats / (ln 2 · bytes of the target tokens): a code length, so it compares across tokenizers. NaN where targets are no text.</param>
/// <param name="Tokens">Targets.</param>
/// <param name="Bytes">Bytes of the targets; 0 where they are no text.</param>
public readonly record struct Evaluation(double Loss, double BitsPerByte, long Tokens, long Bytes)
{
    /// <summary>The score of tasks with labels: the share of those that the model finds most likely.</summary>
    public const string Accuracy = "accuracy";

    public double Perplexity => Math.Exp(Loss);

    /// <summary>What a task scores besides, such as accuracy; null where that is nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<Score>? Scores { get; init; }

    /// <summary>What the best checkpoint has least of: the share of labels missed where <see cref="Accuracy"/> is scored, otherwise the loss.</summary>
    [JsonIgnore]
    public double Shortfall => Scores?.FirstOrDefault(score => score.Name == Accuracy) is { Name: Accuracy } right ? 1 - right.Value : Loss;

    /// <summary>Whether there is a length in bits per byte.</summary>
    [JsonIgnore]
    public bool IsText => Bytes > 0;

    /// <summary>What there is of it, by name: the loss, the length in bits per byte where there is one, and what else is scored.</summary>
    [JsonIgnore]
    public IEnumerable<Score> Figures =>
        [new("loss", Loss), .. IsText ? [new Score("bitsPerByte", BitsPerByte)] : Array.Empty<Score>(), .. Scores ?? []];

    /// <summary>Of targets that are no text.</summary>
    /// <param name="loss">Mean over the targets.</param>
    /// <param name="targets">How many.</param>
    /// <param name="scores">What is scored besides.</param>
    public static Evaluation Of(double loss, long targets, params Score[] scores)
        => new(loss, double.NaN, targets, 0) { Scores = scores.Length > 0 ? scores : null };
}

/// <summary>A figure by its name.</summary>
/// <param name="Name">In camel case, as it stands in files: <c>accuracy</c>.</param>
/// <param name="Value">What it is.</param>
public readonly record struct Score(string Name, double Value)
{
    /// <summary>The name after a prefix: <c>validationAccuracy</c>.</summary>
    public string After(string prefix) => $"{prefix}{char.ToUpperInvariant(Name[0])}{Name[1..]}";
}

/// <summary>What a simple method scores on what a task holds back.</summary>
/// <param name="Name">Of the method: <c>bigram</c>.</param>
/// <param name="Scores">By the names of <see cref="Evaluation.Figures"/>.</param>
public sealed record Baseline(string Name, IReadOnlyList<Score> Scores);
