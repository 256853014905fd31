using System.Globalization;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Training;

/// <summary>What a score on what is held back is to reach: <c>accuracy>=0.99</c>, <c>loss&lt;=1.5</c>.</summary>
/// <param name="Score">By the names of <see cref="Evaluation.Figures"/>.</param>
/// <param name="IsLeast">Whether it is to be at least the value; otherwise at most.</param>
/// <param name="Value">The value.</param>
public sealed record ScoreGoal(string Score, bool IsLeast, double Value)
{
    private const string AtLeast = ">=", AtMost = "<=";

    /// <summary>Reads one; null where the text is none.</summary>
    public static ScoreGoal? Parse(string text)
    {
        bool isLeast = text.Contains(AtLeast, StringComparison.Ordinal);
        string[] parts = text.Split(isLeast ? AtLeast : AtMost, StringSplitOptions.TrimEntries);
        return parts is [{ Length: > 0 } name, var number] && name.All(char.IsAsciiLetterOrDigit)
            && double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value)
            ? new ScoreGoal(name, isLeast, value)
            : null;
    }

    /// <summary>Whether an evaluation has reached it; false too where it has no such score.</summary>
    public bool IsMetBy(in Evaluation evaluation)
        => evaluation.Figures.FirstOrDefault(score => score.Name == Score) is { Name: not null } found && (IsLeast ? found.Value >= Value : found.Value <= Value);

    /// <summary>As it is written in configurations.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Score}{(IsLeast ? AtLeast : AtMost)}{Value}");
}
