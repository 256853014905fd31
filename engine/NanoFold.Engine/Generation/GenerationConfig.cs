using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Generation;

/// <summary>The section <c>generation</c>: how text is sampled.</summary>
public sealed record GenerationConfig
{
    /// <summary>Tokens that are written at most.</summary>
    [Bounds(1, int.MaxValue)]
    public int MaxTokens { get; init; } = 200;

    /// <summary>Divides the logits; 0 takes the likeliest token.</summary>
    [Bounds(0)]
    public double Temperature { get; init; } = 0.8;

    /// <summary>Keeps the k likeliest tokens; 0 all.</summary>
    [Bounds(0, int.MaxValue)]
    public int TopK { get; init; }

    /// <summary>Keeps the likeliest tokens that together reach this probability.</summary>
    [Bounds(0, 1, AboveMinimum = true)]
    public double TopP { get; init; } = 1;

    /// <summary>Keeps tokens with at least this share of the likeliest one's probability.</summary>
    [Bounds(0, 1)]
    public double MinP { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens already there; 1 does nothing.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Texts at which a sample ends.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>What is wrong with it.</summary>
    public IEnumerable<ConfigProblem> Validate(string path)
    {
        for (int i = 0; i < Stop.Count; i++)
        {
            if (Stop[i].Length == 0)
            {
                yield return new ConfigProblem($"{path}.stop.{i}", "is empty and would end every sample at once");
            }
        }
    }
}
