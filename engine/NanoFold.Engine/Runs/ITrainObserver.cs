using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>Who is told how training goes: a progress bar, plain lines, a test. Called between steps, on the training thread.</summary>
public interface ITrainObserver
{
    /// <summary>One line about something that takes time, or that the user should know.</summary>
    void Note(string line);

    void Stepped(in StepReport report);

    /// <param name="step">Steps taken.</param>
    /// <param name="evaluation">On the windows that every evaluation of a run takes: what makes a curve.</param>
    /// <param name="full">At the end of a run, on all of the validation text.</param>
    void Evaluated(long step, Evaluation evaluation, Evaluation? full);

    void Sampled(long step, string text);

    /// <summary>A checkpoint is complete on disk.</summary>
    void Saved(long step, string path);
}

/// <summary>One step, for display.</summary>
/// <param name="Step">Steps taken, this one included.</param>
/// <param name="Steps">Steps planned; null until a time budget has been turned into steps.</param>
/// <param name="Result">What the step gave.</param>
/// <param name="TokensPerSecond">Smoothed.</param>
/// <param name="SecondsLeft">Estimated, for the rest of the run with its evaluations; null until that is known.</param>
public readonly record struct StepReport(long Step, int? Steps, StepResult Result, double TokensPerSecond, double? SecondsLeft);
