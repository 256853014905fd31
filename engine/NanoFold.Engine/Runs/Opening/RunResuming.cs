using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>From a run's folder to a <see cref="TrainSession"/> that goes on from a checkpoint, to the bits of a run that never stopped.</summary>
internal static class RunResuming
{
    /// <summary>Opens a run at its newest checkpoint, or at the one that is named: what came after that one is deleted then.</summary>
    /// <param name="path">The run's folder, or a checkpoint in it.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="config">The run's configuration with what may change on resuming (<see cref="Resumable"/>); null as it was.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends tokenizing.</param>
    /// <param name="collective">The processes that train together, of which this is number 0.</param>
    /// <exception cref="UserException">There is no such run, it is being written, or its text or its files are not what they were.</exception>
    public static TrainSession Resume(string path, Backend backend, RunConfig? config, Action<string>? note, CancellationToken cancel, ICollective collective)
    {
        ResumePoint point = ResumePoint.Of(path);
        RunFolder run = RunFolder.Open(point.Run);
        LearningTask? task = null;
        TrainSession? session = null;
        try
        {
            Checkpoint? checkpoint = point.Find(run.Checkpoints);
            config = config is null ? SavedRun.LoadConfig(run.Path) : RunOpening.Checked(config);
            Found? found = null;
            if (checkpoint is not null)
            {
                (config, found) = Look(run, checkpoint, config);
            }

            SavedModel? start = found is null ? InitialWeights.Open(ref config) : null;
            RunJoining.RequireShared(config, collective);
            PrecisionCheck.Require(config.Train.Precision, backend);
            PrecisionCheck.Tell(config.Train.Precision, backend, note);
            task = OpenTask(config, note, cancel, found?.Tokenizer, run.ReadTemplate());
            InitialWeights.RequireTokenizer(start, task);
            config = config.WithVocab(task.Vocab) with { Data = FullPaths.Of(config.Data) };
            MemoryCheck.RequireRun(RunJoining.Part(config, collective), backend);
            session = new TrainSession(config, task, backend, run, drawsParameters: checkpoint is null && start is null, collective);
            session.RequireGoal();
            RunReference.Fill(config, session.Reference);
            if (found is not null)
            {
                Restore(session, run, checkpoint!, found, note);
                RunJoining.Give(session);
            }
            else
            {
                note?.Invoke($"{run.Path} has no checkpoint yet: starting from the beginning");
                InitialWeights.Read(start, session, note);
                RunJoining.Give(session);
                session.CutLogs(0);
                RunOpening.SaveAtStart(session);
            }

            PreferenceReference.Require(session, run.Path, start, note, cancel);
            Remember(run, config);
            return session;
        }
        catch
        {
            session?.Dispose();
            task?.Dispose();
            run.Dispose();
            throw;
        }
    }

    // Everything about the checkpoint that can be found wrong before a model is allocated.
    private static (RunConfig Config, Found Found) Look(RunFolder run, Checkpoint checkpoint, RunConfig config)
    {
        (RunConfig saved, TrainState state, Tokenizer? tokenizer) = Read(run, checkpoint, () =>
        {
            TrainState state = TrainState.LoadSound(checkpoint.Path);
            RunConfig config = SavedRun.LoadConfig(checkpoint.Path);
            return (config, state, config.Task.IsText ? Tokenizer.Load(checkpoint.Path) : null);
        });
        config = AsBegun(saved, config, run, checkpoint);
        SavedValues values = Read(run, checkpoint, () => SavedValues.Look(checkpoint.Path, config));
        return (config, new Found(MoreSteps.Plan(state, saved, config, run), tokenizer, values));
    }

    // The configuration that the checkpoint was trained with, but for the keys that may change on resuming. Values that the run found, such as the vocabulary, stay.
    private static RunConfig AsBegun(RunConfig saved, RunConfig config, RunFolder run, Checkpoint checkpoint)
    {
        RunConfig begun = Resumable.Take(saved, config);
        RunConfig found = config with
        {
            Model = config.Model.Vocab > 0 ? config.Model : config.Model with { Vocab = begun.Model.Vocab },
            Train = config.Train.Batch > 0 ? config.Train : config.Train with { Batch = begun.Train.Batch },
        };
        return found.ToJson() == begun.ToJson()
            ? begun
            : throw new UserException(
                $"{Path.Combine(run.Path, RunConfig.FileName)}: is not what the run was trained with; to go on, take back what was changed ({checkpoint.File(RunConfig.FileName)} has it)");
    }

    private static LearningTask OpenTask(RunConfig config, Action<string>? note, CancellationToken cancel, Tokenizer? own, string? template)
    {
        try
        {
            return config.Task.Open(TrainData.ContextOf(config, note, cancel, own, template));
        }
        catch (UserException e) when (TrainData.IsGone(config.Data.Path))
        {
            throw new UserException($"{e.Message}; say where the run's text is now with --data", e);
        }
        catch (UserException e) when (TrainData.IsGone(config.Data.Validation))
        {
            throw new UserException($"{e.Message}; say where the run's text to validate on is now with --set data.validation=PATH", e);
        }
        catch (UserException e) when (TrainData.IsGone(config.Data.Replay))
        {
            throw new UserException($"{e.Message}; say where the run's older text is now with --set data.replay=PATH", e);
        }
    }

    private static void Restore(TrainSession session, RunFolder run, Checkpoint checkpoint, Found found, Action<string>? note)
    {
        LearningTask task = session.Task;
        if (found.State.ContentHash != task.ContentHash)
        {
            throw new UserException($"{task.Name}: has changed since the run began; resuming needs the same text");
        }

        if (found.Tokenizer is not null && !session.Tokenizer.Serialize().AsSpan().SequenceEqual(found.Tokenizer.Serialize()))
        {
            throw new UserException($"{checkpoint.File(Tokenizer.FileName)}: is not the tokenizer that {task.Name} has now; resuming needs the same");
        }

        Read(run, checkpoint, () =>
        {
            found.Values.Fill(session.Model.Store);
            session.Left = found.Values.Left;
            OptimizerFile.Read(checkpoint.File(OptimizerFile.Name), session.Trainer.Optimizer, session.Model.Store);
            return 0;
        });

        // Before the logs are cut: a kill between the two leaves a run that goes on from here.
        if (run.Checkpoints.DeleteAfter(checkpoint.Step) is { Count: > 0 } deleted)
        {
            note?.Invoke($"going back to step {checkpoint.Step}: deleted what came after it, {string.Join(", ", deleted.Select(c => Path.GetFileName(c.Path)))}");
        }

        session.Continue(found.State);
    }

    // Where a file of a checkpoint is damaged, the message names the checkpoint before it.
    private static T Read<T>(RunFolder run, Checkpoint checkpoint, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (UserException e) when (e is not ElsewhereFault)
        {
            string instead = run.Checkpoints.List().Count > 1 ? "go on from the checkpoint before it" : "start from the beginning";
            throw new UserException($"{e.Message}; delete {checkpoint.Path} to {instead}", e);
        }
    }

    // A text that has moved and how long a run is hold from now on; other keys for this start only.
    private static void Remember(RunFolder run, RunConfig config)
    {
        RunConfig before = SavedRun.LoadConfig(run.Path);
        RunConfig after = before with
        {
            Data = before.Data with { Path = config.Data.Path, Validation = config.Data.Validation, Replay = config.Data.Replay },
            Train = before.Train with { Steps = config.Train.Steps, Tokens = config.Train.Tokens, Flops = config.Train.Flops },
        };
        if (after.ToJson() != before.ToJson())
        {
            run.WriteConfig(after);
        }
    }

    /// <summary>A sound checkpoint, its values not read yet.</summary>
    private sealed record Found(TrainState State, Tokenizer? Tokenizer, SavedValues Values);
}
