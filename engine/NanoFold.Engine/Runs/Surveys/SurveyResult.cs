using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>What a survey found.</summary>
/// <param name="Folder">Where its files are.</param>
/// <param name="Files">Their paths.</param>
/// <param name="Lines">Figures in geometry.jsonl.</param>
/// <param name="Data">What the model was measured on.</param>
/// <param name="Shape">How many tokens were looked at.</param>
/// <param name="Checkpoints">What was looked at, by step, with the seconds that it took.</param>
/// <param name="Latest">Of the last checkpoint: the figures of each measure and place, of the model and of what it is held against.</param>
/// <param name="Costs">Seconds of each measure, and of passes through the model.</param>
/// <param name="Without">Measures that found nothing, with what the model would have to have.</param>
public sealed record SurveyResult(
    string Folder,
    IReadOnlyList<string> Files,
    long Lines,
    string Data,
    ProbeShape Shape,
    IReadOnlyList<(string Name, long Step, double Seconds)> Checkpoints,
    IReadOnlyList<(Measured Measured, SurveyControl Control)> Latest,
    IReadOnlyList<(string Measure, double Seconds)> Costs,
    IReadOnlyList<(string Measure, string Subject)> Without)
{
    /// <summary>Tables of words that measures of the last checkpoint show.</summary>
    public IReadOnlyList<WordTable> Words { get; init; } = [];
}
