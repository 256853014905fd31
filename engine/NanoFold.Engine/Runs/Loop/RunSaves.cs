using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>Saves the state of a run, also where it cannot go on: steps that were taken are not lost then, and what ends the run says where they are.</summary>
/// <param name="session">What is saved.</param>
/// <param name="pace">Times it.</param>
/// <param name="divergence">Says what is wrong with a run that has lost its way.</param>
/// <param name="observer">Told, or null.</param>
internal sealed class RunSaves(TrainSession session, Pace pace, Divergence divergence, ITrainObserver? observer)
{
    /// <summary>Writes a checkpoint.</summary>
    public void Save(long step)
    {
        if (pace.Checkpoint(() => session.Save(step, pace.Steps.StepSeconds)) is { } path)
        {
            observer?.Saved(step, path);
        }
    }

    /// <summary>Writes a checkpoint where there is none of the step yet.</summary>
    public void SaveOnce(long step)
    {
        if (session.SavedStep != step)
        {
            Save(step);
        }
    }

    /// <summary>Does what may fail, such as reading a text that cannot be read any more; the steps so far are saved then.</summary>
    /// <param name="step">Steps taken before it.</param>
    /// <param name="state">What it is done with.</param>
    /// <param name="action">What is done.</param>
    /// <exception cref="UserException">It failed.</exception>
    public T Guard<TState, T>(long step, TState state, Func<TState, T> action)
    {
        try
        {
            return action(state);
        }
        catch (UserException e) when (step > 0 && session.RunPath is not null)
        {
            SaveOnce(step);
            throw new UserException($"{e.Message}; the state after step {step} is saved in {session.RunPath}", e);
        }
    }

    /// <summary>After a log could not be written; steps that are not saved yet are.</summary>
    public UserException Unwritten(long step, UserException fault)
    {
        Save(step);
        return new UserException($"{fault.Message.TrimEnd('.')}; the state of step {step} is saved in {session.RunPath}", fault);
    }

    /// <summary>After a step gave what is not finite: the state is as it was before it, for nothing was updated.</summary>
    public DivergedException NotFinite(long step, string what)
    {
        SaveOnce(step);
        return divergence.NotFinite(step, what);
    }

    /// <summary>After losses beyond any perplexity: the last checkpoint is of a better state; without one, this state is better than none.</summary>
    public DivergedException Beyond(long step, string what, double loss)
    {
        if (session.SavedStep < 0)
        {
            Save(step);
        }

        return divergence.Beyond(step, what, loss);
    }
}
