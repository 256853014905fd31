using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Data;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Everything a run consists of, opened from a configuration: corpus → tokenizer → shards → batches, model and optimizer, evaluation,
/// geometry, and the folder it writes. <see cref="TrainLoop"/> moves it forward.
/// </summary>
public sealed class TrainSession : IDisposable
{
    private readonly TokenDataset _dataset;
    private readonly RunFolder? _folder;
    private readonly SharedArena _arena;
    private readonly Evaluator? _evaluator;
    private Generator? _generator;
    private (long Step, double Loss) _compared = (-1, double.NaN);
    private double _secondsBefore;

    internal TrainSession(RunConfig config, TokenDataset dataset, Backend backend, RunFolder? folder, bool drawsParameters = true)
    {
        Config = config;
        _dataset = dataset;
        _folder = folder;
        TrainConfig train = config.Train;
        State = new TrainState(0, train.Steps, 0, null, null, dataset.ContentHash);
        var batches = new BatchSource(dataset.Train, dataset.Name, train.Batch, config.Model.Context, (ulong)train.Seed);
        Model = new Transformer(config.Model, backend, drawsParameters ? (ulong)train.Seed : null);
        _arena = new SharedArena(backend);
        try
        {
            Trainer = new Trainer(Model, train, batches, config.Data.MaskDocuments, _arena);
            long arena = Trainer.ArenaBytes;
            DType type = train.Precision.Activations();
            if (dataset.Validation.Tokens > 1)
            {
                int rows = EvaluationSource.RowsFor(config.Model.Context);
                var all = new EvaluationSource(dataset.Validation, dataset.Name, rows, config.Model.Context);
                var part = new EvaluationSource(dataset.Validation, dataset.Name, rows, config.Model.Context, train.EvaluationWindows);
                _evaluator = new Evaluator(Model, all, part, dataset.Tokenizer.ByteLengths, config.Data.MaskDocuments, type, _arena);
                arena = Math.Max(arena, _evaluator.ArenaBytes);
            }

            if (config.Geometry.Enabled)
            {
                TokenShard text = dataset.Validation.Tokens > 1 ? dataset.Validation : dataset.Train;
                GeometryConfig geometry = config.Geometry;
                ProbeShape shape = ProbeShape.Of(geometry.ProbeTokens, geometry.NeighborTokens, config.Model.Context, text.Tokens);
                var probe = new GeometryProbe(Model, shape, geometry.Measures, config.Data.MaskDocuments, type, _arena);
                Geometry = new GeometryRecorder(probe, geometry, (long)train.Batch * train.Accumulate * config.Model.Context, folder?.Geometry);
                probe.Read(text, dataset.Name);
                arena = Math.Max(arena, probe.ArenaBytes);
            }

            _arena.Reserve(arena);
        }
        catch
        {
            Geometry?.Dispose();
            _evaluator?.Dispose();
            Trainer?.Dispose();
            _arena.Dispose();
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

    /// <inheritdoc cref="RunOpening.Open"/>
    public static TrainSession Open(RunConfig config, Backend backend, string? folder = null, Action<string>? note = null, CancellationToken cancel = default)
        => RunOpening.Open(config, backend, folder, note, cancel);

    /// <inheritdoc cref="RunResuming.Resume"/>
    public static TrainSession Resume(string path, Backend backend, RunConfig? config = null, Action<string>? note = null, CancellationToken cancel = default)
        => RunResuming.Resume(path, backend, config, note, cancel);

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
    public Evaluation? Evaluate(long step, bool isLast, CancellationToken cancel = default)
    {
        if (_evaluator is null)
        {
            return null;
        }

        // The best checkpoint is found on the same windows every time.
        Evaluation compared = _evaluator.Run(part: true, cancel), reported = isLast && _evaluator.HasPart ? _evaluator.Run(cancel: cancel) : compared;
        if (!double.IsFinite(compared.Loss + reported.Loss))
        {
            return reported with { Loss = double.NaN };
        }

        _compared = (step, compared.Loss);
        State = State with { LastEvaluation = reported };
        if (_folder is not null)
        {
            MetricsJson.AppendEvaluation(_folder.Metrics, step, reported);
        }

        return reported;
    }

    public void LogStep(long step, in StepResult result, double tokensPerSecond)
    {
        if (_folder is not null)
        {
            MetricsJson.AppendStep(_folder.Metrics, step, result, tokensPerSecond, Config.Train.Precision.ScalesLoss() ? Trainer.LossScale.Scale : null);
        }
    }

    /// <summary>Continues <c>train.samplePrompt</c> with the model as it is; the same draws every time, so that samples compare.</summary>
    public string Sample(CancellationToken cancel = default)
    {
        _generator ??= new Generator(Model, Tokenizer, _arena);
        return _generator.Generate([Config.Train.SamplePrompt], Config.Generation, (ulong)Config.Train.Seed, cancellationToken: cancel).Samples[0].Text;
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
            new CheckpointFile(RunConfig.FileName, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(Config.ToJson()))),
            new CheckpointFile(Text.Tokenizer.FileName, stream => stream.Write(Tokenizer.Serialize())),
        ],
        State.ToFile);
        if (isBest)
        {
            _folder.Checkpoints.MarkBest(step, _compared.Loss);
        }

        _folder.Checkpoints.Prune(Config.Train.KeepCheckpoints, Config.Train.CheckpointAtStart);
        return checkpoint.Path;
    }

    public void Dispose()
    {
        Trainer.Dispose();
        _evaluator?.Dispose();
        Geometry?.Dispose();
        _generator?.Dispose();
        _arena.Dispose();
        Model.Dispose();
        _dataset.Dispose();
        _folder?.Dispose();
    }

    /// <summary>Goes on from a checkpoint: its parameters and moments are read already.</summary>
    internal void Continue(TrainState state)
    {
        Replan(state.Steps);
        Trainer.LossScale = (state.LossScale, state.GoodSteps);
        State = state;
        SavedStep = state.Step;
        _secondsBefore = state.Seconds;
        CutLogs(state.Step);
    }

    /// <summary>Cuts the logs back to what was written up to a step.</summary>
    internal void CutLogs(long step)
    {
        _folder!.Metrics.CutBackTo(step);
        _folder.Geometry.CutBackTo(step);
    }
}
