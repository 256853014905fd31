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

    /// <summary>Whether the penalty counts the prompt's tokens too, or what was written only.</summary>
    public bool PenalizePrompt { get; init; } = true;

    /// <summary>Texts at which a sample ends.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Never draw the mark that ends a text, so that a sample goes on to its last token.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>First tokens that stay in view where the context is full and the model goes on with the last part of it.</summary>
    [Bounds(0, int.MaxValue)]
    public int Keep { get; init; }

    /// <summary>What is wrong with it.</summary>
    /// <param name="path">Of its section.</param>
    /// <param name="context">Tokens that the model sees.</param>
    public IEnumerable<ConfigProblem> Validate(string path, int context = int.MaxValue)
    {
        if (Keep >= context)
        {
            yield return new ConfigProblem($"{path}.keep", FormattableString.Invariant($"{Keep} leaves no room in a context of {context}; use at most {context - 1}"));
        }

        for (int i = 0; i < Stop.Count; i++)
        {
            if (Stop[i].Length == 0)
            {
                yield return new ConfigProblem($"{path}.stop.{i}", "is empty and would end every sample at once");
            }
        }
    }
}
