namespace NanoFold.Engine.Runs.Interventions;

/// <summary>What an intervention runs on, and what is wanted of it.</summary>
public sealed record InterventionOptions
{
    /// <summary>A text in place of the run's own; null for none.</summary>
    public string? Data { get; init; }

    /// <summary>How that text is read.</summary>
    public Corpora.CorpusOptions? Reading { get; init; }

    /// <summary>A prompt in place of a text; null for none. Of it the last place is what tokens are chosen at.</summary>
    public string? Prompt { get; init; }

    /// <summary>Whether the name of a special token in the prompt is that token, and not text.</summary>
    public bool ParseSpecial { get; init; }

    /// <summary>Settings of the task, <c>task=grammar</c>.</summary>
    public IReadOnlyList<string> TaskSettings { get; init; } = [];

    /// <summary>Rows that are gone through, evenly spaced; null for about 32,768 places.</summary>
    public int? Rows { get; init; }

    /// <summary>Tokens whose probabilities are wanted; none of a prompt for those that are most probable before and after.</summary>
    public IReadOnlyList<int> Tokens { get; init; } = [];

    /// <summary>Random edits of equal size that the edit is held against.</summary>
    public int Controls { get; init; } = 5;

    /// <summary>Of the random edits.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>What a model said in one run.</summary>
/// <param name="Loss">In the unit of the task; null where no place had a target.</param>
/// <param name="Probabilities">Of the chosen tokens, means over the places with a target, or at the last place of a prompt.</param>
/// <param name="Divergence">KL in nats of the unedited distribution to this one, mean over <see cref="InterventionResult.ComparedPlaces"/>; null of the unedited run, and of a model without a vocabulary.</param>
/// <param name="Places">Places with a target.</param>
public sealed record Outcome(double? Loss, IReadOnlyList<double> Probabilities, double? Divergence, long Places);

/// <summary>A token whose probability is told.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Text">How it reads.</param>
public sealed record ChosenToken(int Id, string Text);

/// <summary>What an edit changes at one point.</summary>
/// <param name="Edit">Its place among the edits, from 0.</param>
/// <param name="Point">The point's full name.</param>
/// <param name="Result">What changed.</param>
public sealed record EditedPoint(int Edit, string Point, InterventionResult Result);

/// <summary>Three sorts of runs over the same rows.</summary>
public sealed record InterventionResult
{
    /// <summary>What was read, for people.</summary>
    public required string Data { get; init; }

    /// <summary>Rows that were gone through.</summary>
    public required int Rows { get; init; }

    /// <summary>Places with a target.</summary>
    public required long Places { get; init; }

    /// <summary>Places of which <see cref="Outcome.Divergence"/> is the mean: the first ones, as many as there is room for.</summary>
    public required long ComparedPlaces { get; init; }

    /// <summary>What losses are counted in.</summary>
    public required string Unit { get; init; }

    /// <summary>The tokens of <see cref="Outcome.Probabilities"/>.</summary>
    public required IReadOnlyList<ChosenToken> Tokens { get; init; }

    /// <summary>Unedited.</summary>
    public required Outcome Plain { get; init; }

    /// <summary>With the edits.</summary>
    public required Outcome Edited { get; init; }

    /// <summary>With random edits of equal size.</summary>
    public required IReadOnlyList<Outcome> Controls { get; init; }
}
