using System.Text.Json.Nodes;
using NanoFold.Engine.Runs.Evaluations;

namespace NanoFold.Engine.Runs;

/// <summary>Keeps <see cref="RunResult.FileName"/> true: it says how the last start of a run ended, and is not there while the run goes on.</summary>
/// <param name="session">Of the run; one without a folder writes nothing.</param>
internal sealed class ResultWriter(TrainSession session)
{
    private readonly string? _folder = session.RunPath;

    /// <summary>The run goes on: what an earlier start has written holds no more.</summary>
    /// <exception cref="UserException">It cannot be deleted.</exception>
    public void Begin()
    {
        if (_folder is null)
        {
            return;
        }

        foreach (string name in new[] { RunResult.FileName, DetailedEvaluation.FileName })
        {
            try
            {
                File.Delete(Path.Combine(_folder, name));
            }
            catch (Exception e) when (FileFault.Is(e))
            {
                throw FileFault.Describe("cannot delete", Path.Combine(_folder, name), e);
            }
        }
    }

    /// <summary>The run, or this start of it, has ended. A start that took no step leaves the result of the one that took the last.</summary>
    public void End(TrainSummary summary, bool tookSteps)
    {
        if (_folder is not null && (tookSteps || RunResult.Find(_folder) is not { IsOver: true }))
        {
            new RunResult(RunFigures.ForFile(session, summary)).Write(_folder);
        }
    }

    /// <summary>The run cannot go on.</summary>
    /// <param name="step">Steps that it took.</param>
    /// <param name="fault">What is said of it.</param>
    public void Diverged(long step, DivergedException fault)
    {
        if (_folder is not null)
        {
            TrainSummary summary = new(TrainEnd.Diverged, step, double.NaN, session.State.LastEvaluation, 0, 0) { ValidationStep = session.State.EvaluatedStep };
            JsonObject figures = RunFigures.ForFile(session, summary);
            figures[RunResult.ProblemKey] = fault.Message;
            new RunResult(figures).Write(_folder);
        }
    }
}
