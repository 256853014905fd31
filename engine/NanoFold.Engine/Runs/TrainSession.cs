using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Everything a run consists of, opened from a configuration: corpus → tokenizer → shards → batches, model and optimiser, evaluation,
/// geometry, and the folder it writes. <see cref="TrainLoop"/> moves it forward.
/// </summary>
public sealed class TrainSession : IDisposable
{
    private readonly TokenDataset _dataset;
    private readonly RunFolder? _folder;
    private readonly Evaluator? _evaluator;
    private Generator? _generator;
    private (long Step, double Loss) _compared = (-1, double.NaN);
    private double _secondsBefore;

    private TrainSession(RunConfig config, TokenDataset dataset, Backend backend, RunFolder? folder)
    {
        Config = config;
        _dataset = dataset;
        _folder = folder;
        TrainConfig train = config.Train;
        State = new TrainState(0, train.Steps, 0, null, null, dataset.ContentHash);
        var batches = new BatchSource(dataset.Train, dataset.Name, train.Batch, config.Model.Context, (ulong)train.Seed);
        Model = new Transformer(config.Model, backend, (ulong)train.Seed);
        try
        {
            Trainer = new Trainer(Model, train, batches, config.Data.MaskDocuments);
            MemoryCheck.Require(Trainer, backend);
            if (dataset.Validation.Tokens > 1)
            {
                int rows = Math.Max(1, Math.Min(64, 4096 / config.Model.Context));
                var all = new EvaluationSource(dataset.Validation, dataset.Name, rows, config.Model.Context);
                var part = new EvaluationSource(dataset.Validation, dataset.Name, rows, config.Model.Context, train.EvaluationWindows);
                _evaluator = new Evaluator(Model, all, part, dataset.Tokenizer.ByteLengths, config.Data.MaskDocuments, train.Precision.Activations());
            }

            if (config.Geometry.Enabled)
            {
                TokenShard text = dataset.Validation.Tokens > 1 ? dataset.Validation : dataset.Train;
                Geometry = new GeometryRecorder(new GeometryProbe(Model, text, dataset.Name, config.Geometry.ProbeTokens, train.Precision.Activations()), config.Geometry, folder?.Geometry);
            }
        }
        catch
        {
            _evaluator?.Dispose();
            Trainer?.Dispose();
            Model.Dispose();
            throw;
        }
    }

    /// <summary>Resolved: what the run will do, in full.</summary>
    public RunConfig Config { get; }

    public Transformer Model { get; }

    public Trainer Trainer { get; }

    public Text.Tokenizer Tokenizer => _dataset.Tokenizer;

    /// <summary>As of the last evaluation or checkpoint.</summary>
    public TrainState State { get; private set; }

    /// <summary>The step of the newest checkpoint, −1 where there is none yet.</summary>
    public long SavedStep { get; private set; } = -1;

    /// <summary>Measures the residual stream while training; null where <c>geometry.enabled</c> is false.</summary>
    public GeometryRecorder? Geometry { get; }

    /// <summary>The run's folder, or null where nothing is written.</summary>
    public string? RunPath => _folder?.Path;

    /// <summary>The corpus: its name, its tokens to train on, and whether they were cached.</summary>
    public (string Name, long Tokens, bool FromCache) Corpus => (_dataset.Name, _dataset.Train.Tokens, _dataset.FromCache);

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
            config = config.WithVocab(dataset.Tokenizer.Vocab);
            MemoryCheck.Require(config, backend);
            config = config with { Train = config.Train with { Batch = BatchSize.Choose(config, dataset, backend, note) } };
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
            MemoryCheck.Require(config, backend);
            session = new TrainSession(config, dataset, backend, run);
            if (checkpoint is not null)
            {
                session.Restore(checkpoint);
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

    /// <summary>Changes the number of steps planned, and with it the schedule.</summary>
    public void Replan(int steps)
    {
        Trainer.Schedule = LearningRateSchedule.From(Config.Train, steps);
        State = State with { Steps = steps };
    }

    /// <summary>
    /// Evaluates and, where it is finite, logs; null where there is no validation text. During training over <c>train.evaluationWindows</c>
    /// windows, at the end over all.
    /// </summary>
    public Evaluation? Evaluate(long step, bool isLast)
    {
        if (_evaluator is null)
        {
            return null;
        }

        // The best checkpoint is found on the same windows every time.
        Evaluation compared = _evaluator.Run(part: true), reported = isLast && _evaluator.HasPart ? _evaluator.Run() : compared;
        if (!double.IsFinite(compared.Loss + reported.Loss))
        {
            return reported with { Loss = double.NaN };
        }

        _compared = (step, compared.Loss);
        State = State with { LastEvaluation = reported };
        _folder?.Metrics.Append((step, reported), static (json, state) =>
        {
            json.WriteNumber("step"u8, state.step);
            json.WriteNumber("validationLoss"u8, state.reported.Loss);
            json.WriteNumber("validationBitsPerByte"u8, state.reported.BitsPerByte);
            json.WriteNumber("validationTokens"u8, state.reported.Tokens);
        });
        return reported;
    }

    public void LogStep(long step, in StepResult result, double tokensPerSecond) =>
        _folder?.Metrics.Append((step, result, tokensPerSecond, lossScale: Config.Train.Precision.ScalesLoss() ? Trainer.LossScale.Scale : (double?)null), static (json, state) =>
        {
            json.WriteNumber("step"u8, state.step);
            // A step whose gradients overflowed was skipped.
            if (state.result.IsFinite)
            {
                json.WriteNumber("loss"u8, state.result.Loss);
                json.WriteNumber("gradientNorm"u8, state.result.GradientNorm);
            }
            else
            {
                json.WriteBoolean("skipped"u8, true);
            }

            if (state.lossScale is { } scale)
            {
                json.WriteNumber("lossScale"u8, scale);
            }

            json.WriteNumber("learningRate"u8, state.result.LearningRate);
            json.WriteNumber("tokensPerSecond"u8, Math.Round(state.tokensPerSecond, 1));
        });

    /// <summary>Continues <c>train.samplePrompt</c> with the model as it is; the same draws every time, so that samples compare.</summary>
    public string Sample()
    {
        _generator ??= new Generator(Model, Tokenizer);
        return _generator.Generate([Config.Train.SamplePrompt], Config.Generation, (ulong)Config.Train.Seed).Samples[0].Text;
    }

    /// <summary>Writes a checkpoint; marks it as the best where its evaluation is. Returns its path, or null where nothing is written.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="seconds">Spent on them since the run was opened.</param>
    public string? Save(long step, double seconds)
    {
        bool isBest = _compared.Step == step && _compared.Loss < (State.BestLoss ?? double.PositiveInfinity);
        (double lossScale, long goodSteps) = Trainer.LossScale;
        State = State with
        {
            Step = step, Seconds = _secondsBefore + seconds, BestLoss = isBest ? _compared.Loss : State.BestLoss, LossScale = lossScale, GoodSteps = goodSteps,
        };
        SavedStep = step;
        if (_folder is null)
        {
            return null;
        }

        Checkpoint checkpoint = _folder.Checkpoints.Write(step,
        [
            ModelFile.Of(Model.Store),
            OptimizerFile.Of(Trainer.Optimizer, Model.Store),
            State.ToFile(),
            new CheckpointFile(RunConfig.FileName, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(Config.ToJson()))),
            new CheckpointFile(Text.Tokenizer.FileName, stream => stream.Write(Tokenizer.Serialize())),
        ]);
        if (isBest)
        {
            _folder.Checkpoints.MarkBest(step, _compared.Loss);
        }

        _folder.Checkpoints.Prune(Config.Train.KeepCheckpoints);
        return checkpoint.Path;
    }

    public void Dispose()
    {
        Trainer.Dispose();
        _evaluator?.Dispose();
        Geometry?.Dispose();
        _generator?.Dispose();
        Model.Dispose();
        _dataset.Dispose();
        _folder?.Dispose();
    }

    // Held to what a file would be: whoever makes a configuration in code is told the same.
    private static RunConfig Checked(RunConfig config)
    {
        RunConfig built = new ConfigTree().AddJson(config.ToJson(), "configuration").Build();
        return built with { Train = built.Train with { StopAfter = config.Train.StopAfter } };
    }

    // The configuration that the checkpoint was trained with, with what may change on resuming; what the run left to be found is taken over.
    private static RunConfig AsBegun(RunConfig config, RunFolder run, Checkpoint checkpoint)
    {
        RunConfig begun = Read(run, checkpoint, () => RunFolder.LoadConfig(checkpoint.Path));
        TrainConfig train = config.Train;
        begun = begun with
        {
            Train = begun.Train with
            {
                StopAfter = train.StopAfter, LogEvery = train.LogEvery, SampleEvery = train.SampleEvery, SamplePrompt = train.SamplePrompt,
            },
        };
        RunConfig found = config with
        {
            Model = config.Model.Vocab > 0 ? config.Model : config.Model with { Vocab = begun.Model.Vocab },
            Train = train.Batch > 0 ? train : train with { Batch = begun.Train.Batch },
        };
        return found.ToJson() == begun.ToJson()
            ? begun
            : throw new UserException(
                $"{Path.Combine(run.Path, RunConfig.FileName)}: is not what the run was trained with; to go on, take back what was changed ({checkpoint.File(RunConfig.FileName)} has it)");
    }

    // Where a file of a checkpoint is damaged, the one before it may do.
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

    private void Restore(Checkpoint checkpoint)
    {
        (TrainState state, byte[] tokenizer) = Read(_folder!, checkpoint, () =>
        {
            TrainState state = TrainState.Load(checkpoint.Path);
            if (state.Step != checkpoint.Step)
            {
                throw new UserException($"{checkpoint.File(TrainState.FileName)}: is of step {state.Step}, not of this checkpoint");
            }

            ModelFile.Read(checkpoint.File(ModelFile.Name), Model.Store);
            OptimizerFile.Read(checkpoint.File(OptimizerFile.Name), Trainer.Optimizer, Model.Store);
            return (state, Text.Tokenizer.Load(checkpoint.Path).Serialize());
        });
        if (state.ContentHash != _dataset.ContentHash)
        {
            throw new UserException($"{_dataset.Name}: has changed since the run began; resuming needs the same text");
        }

        if (!Tokenizer.Serialize().AsSpan().SequenceEqual(tokenizer))
        {
            throw new UserException($"{checkpoint.File(Text.Tokenizer.FileName)}: is not the tokenizer that {_dataset.Name} has now; resuming needs the same");
        }

        Replan(state.Steps);
        Trainer.LossScale = (state.LossScale, state.GoodSteps);
        State = state;
        SavedStep = state.Step;
        _secondsBefore = state.Seconds;
        CutLogs(state.Step);
    }

    private void CutLogs(long step)
    {
        _folder!.Metrics.CutBackTo(step);
        _folder.Geometry.CutBackTo(step);
    }
}
