using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>From a configuration to a <see cref="TrainSession"/>: a new one, or one that goes on from a checkpoint.</summary>
internal static class RunOpening
{
    /// <summary>Opens a new run.</summary>
    /// <param name="config">What to do; checked here, and what it leaves open is filled in.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="folder">Where to write, or null to write nothing.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends tokenizing.</param>
    /// <exception cref="UserException">Settings, text, folder or memory do not allow it; nothing is left on the disk then.</exception>
    public static TrainSession Open(RunConfig config, Backend backend, string? folder = null, Action<string>? note = null, CancellationToken cancel = default)
    {
        config = Checked(config);
        PrecisionCheck.Require(config.Train.Precision, backend);
        RunFolder? run = folder is null ? null : RunFolder.Create(folder);
        TokenDataset? dataset = null;
        TrainSession? session = null;
        try
        {
            dataset = TrainData.Open(config, note, cancel);
            if (run is not null && config.Data.Path is { } path && Corpus.CanBeReadOnce(path))
            {
                note?.Invoke($"{path}: can be read only once; to go on with this run later, keep the text in a file and name it: --resume {folder} --data FILE");
            }

            config = config.WithVocab(dataset.Tokenizer.Vocab);
            MemoryCheck.Require(config, backend);
            config = config with { Train = config.Train with { Batch = BatchSize.Choose(config, dataset, backend, note) } };
            MemoryCheck.RequireRun(config, backend);
            session = new TrainSession(config, dataset, backend, run);
            run?.WriteConfig(config);
            return session;
        }
        catch
        {
            session?.Dispose();
            dataset?.Dispose();
            run?.Discard();
            throw;
        }
    }

    /// <summary>Opens a run that was interrupted, at its newest checkpoint; it continues to the same bits.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="config">The run's configuration with what may change on resuming: <c>train.stopAfter</c> and what is logged and sampled.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends tokenizing.</param>
    /// <exception cref="UserException">There is no such run, it is being written, or its text or its files are not what they were.</exception>
    public static TrainSession Resume(string folder, Backend backend, RunConfig? config = null, Action<string>? note = null, CancellationToken cancel = default)
    {
        RunFolder run = RunFolder.Open(folder);
        TokenDataset? dataset = null;
        TrainSession? session = null;
        try
        {
            Checkpoint? checkpoint = run.Checkpoints.Newest();
            config = config is null ? RunFolder.LoadConfig(folder) : Checked(config);
            config = checkpoint is null ? config : AsBegun(config, run, checkpoint);
            PrecisionCheck.Require(config.Train.Precision, backend);
            dataset = TrainData.Open(config, note, cancel);
            config = config.WithVocab(dataset.Tokenizer.Vocab);
            MemoryCheck.RequireRun(config, backend);
            session = new TrainSession(config, dataset, backend, run, drawsParameters: checkpoint is null);
            if (checkpoint is not null)
            {
                Restore(session, dataset, run, checkpoint);
            }
            else
            {
                note?.Invoke($"{folder} has no checkpoint yet: starting from the beginning");
                session.CutLogs(0);
            }

            return session;
        }
        catch
        {
            session?.Dispose();
            dataset?.Dispose();
            run.Dispose();
            throw;
        }
    }

    // A configuration made in code is checked as one from a file, with the same messages.
    private static RunConfig Checked(RunConfig config)
    {
        RunConfig built = new ConfigTree().AddJson(config.ToJson(), "configuration").Build();
        return built with { Train = built.Train with { StopAfter = config.Train.StopAfter } };
    }

    // The configuration that the checkpoint was trained with, but for the keys that may change on resuming. Values that the run found, such as the vocabulary, stay.
    private static RunConfig AsBegun(RunConfig config, RunFolder run, Checkpoint checkpoint)
    {
        RunConfig saved = Read(run, checkpoint, () => RunFolder.LoadConfig(checkpoint.Path));
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

    // Where a file of a checkpoint is damaged, the message names the checkpoint before it.
    private static T Read<T>(RunFolder run, Checkpoint checkpoint, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (UserException e)
        {
            string instead = run.Checkpoints.List().Count > 1 ? "go on from the checkpoint before it" : "start from the beginning";
            throw new UserException($"{e.Message}; delete {checkpoint.Path} to {instead}", e);
        }
    }

    private static void Restore(TrainSession session, TokenDataset dataset, RunFolder run, Checkpoint checkpoint)
    {
        (TrainState state, byte[] tokenizer) = Read(run, checkpoint, () =>
        {
            TrainState state = TrainState.Load(checkpoint.Path);
            if (state.Step != checkpoint.Step)
            {
                throw new UserException($"{checkpoint.File(TrainState.FileName)}: is of step {state.Step}, not of this checkpoint");
            }

            ModelFile.Read(checkpoint.File(ModelFile.Name), session.Model.Store);
            OptimizerFile.Read(checkpoint.File(OptimizerFile.Name), session.Trainer.Optimizer, session.Model.Store);
            return (state, Tokenizer.Load(checkpoint.Path).Serialize());
        });
        if (state.ContentHash != dataset.ContentHash)
        {
            throw new UserException($"{dataset.Name}: has changed since the run began; resuming needs the same text");
        }

        if (!dataset.Tokenizer.Serialize().AsSpan().SequenceEqual(tokenizer))
        {
            throw new UserException($"{checkpoint.File(Tokenizer.FileName)}: is not the tokenizer that {dataset.Name} has now; resuming needs the same");
        }

        session.Continue(state);
    }
}
