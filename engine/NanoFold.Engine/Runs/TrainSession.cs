using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Data;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs.Metrics;
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
    private readonly MetricsJson? _metrics;
    private TimeProvider _clock = TimeProvider.System;
    private long _opened = TimeProvider.System.GetTimestamp();
    private double _secondsBefore;
    private double _elapsedBefore;

    internal TrainSession(RunConfig config, TokenDataset dataset, Backend backend, RunFolder? folder, bool drawsParameters = true)
    {
        Config = config;
        _dataset = dataset;
        _folder = folder;
        TrainConfig train = Planned = config.Planned(Budget.Of(config).Steps);
        State = new TrainState(0, train.Steps, 0, null, null, dataset.ContentHash);
        var batches = new BatchSource(dataset.Train, dataset.Name, train.Batch, config.Model.Context, (ulong)train.Seed, config.Data.Draws);
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
                var part = new EvaluationSource(dataset.Validation, dataset.Name, rows, config.Model.Context, train.EvaluationWindows ?? EvaluationShare.Windows(train, config.Model.Context));
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
            FlopsPerToken = CostModel.FlopsPerToken(config.Model);
            _metrics = folder is null ? null : new MetricsJson(folder.Metrics, FlopsPerToken, train.Clip);
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

    /// <summary>The section <c>train</c> as it is for the steps planned now, which a time budget may change.</summary>
    public TrainConfig Planned { get; private set; }

    public Transformer Model { get; }

    public Trainer Trainer { get; }

    /// <summary>Measures the loss over the validation text, also with points of the model edited; null where there is no such text.</summary>
    public Evaluator? Evaluator => _evaluator;

    public Text.Tokenizer Tokenizer => _dataset.Tokenizer;

    /// <summary>Forward and backward, by <see cref="CostModel.FlopsPerToken"/>.</summary>
    public long FlopsPerToken { get; }

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

    /// <summary>Another clock than the system's, from now on.</summary>
    internal TimeProvider Clock
    {
        get => _clock;
        set => (_clock, _opened) = (value, value.GetTimestamp());
    }

    /// <summary>Seconds of the clock on the wall, of all starts of the run together.</summary>
    internal double ElapsedSeconds => _elapsedBefore + _clock.GetElapsedTime(_opened).TotalSeconds;

    /// <summary>Tokens of an evaluation on the way.</summary>
    internal long EvaluationTokens => _evaluator?.Tokens.Part ?? 0;

    /// <summary>Plans that a start before this one fitted after the checkpoint from which it goes on: they hold again.</summary>
    internal IReadOnlyList<FittedPlan> PlansToRepeat { get; private set; } = [];

    /// <summary>The text to validate with: its tokens and, where it is part of the corpus, what part.</summary>
    public (long Tokens, HeldBack? HeldBack) Validation => (_dataset.Validation.Tokens, Config.Data.Validation is null ? _dataset.HeldBack : null);

    /// <inheritdoc cref="RunOpening.Open"/>
    public static TrainSession Open(RunConfig config, Backend backend, string? folder = null, Action<string>? note = null, CancellationToken cancel = default)
        => RunOpening.Open(config, backend, folder, note, cancel);

    /// <inheritdoc cref="RunResuming.Resume"/>
    public static TrainSession Resume(string path, Backend backend, RunConfig? config = null, Action<string>? note = null, CancellationToken cancel = default)
        => RunResuming.Resume(path, backend, config, note, cancel);

    /// <summary>Changes the number of steps planned, and with it the schedule, as of the beginning.</summary>
    public void Replan(int steps)
    {
        Planned = Config.Planned(steps);
        Trainer.Schedule = LearningRateSchedule.From(Planned, steps);
        State = State with { Steps = steps };
    }

    /// <summary>Changes the plan after some steps, and notes that in state and log.</summary>
    internal void Fit(FittedPlan plan)
    {
        Take(plan);
        _metrics?.AppendPlan(PlaceAt(plan.Step), plan);
    }

    /// <summary>
    /// Evaluates on <c>train.evaluationWindows</c> windows, the same every time, and at the end on all besides (<see cref="TrainState.FullEvaluation"/>), where that is not long beside the steps. Logged
    /// where it is finite; null where there is no validation text.
    /// </summary>
    public Evaluation? Evaluate(long step, bool isLast, CancellationToken cancel = default)
    {
        if (_evaluator is null)
        {
            State = State with { EvaluatedStep = step };
            return null;
        }

        Evaluation compared = _evaluator.Run(part: true, cancel);
        Evaluation? full = !isLast ? null : !_evaluator.HasPart ? compared : TakesAll(step) ? _evaluator.Run(cancel: cancel) : null;
        if (!double.IsFinite(compared.Loss + (full?.Loss ?? 0)))
        {
            return compared with { Loss = double.NaN };
        }

        _compared = (step, compared.Loss);
        State = State with { LastEvaluation = compared, FullEvaluation = full, EvaluatedStep = step };
        _metrics?.AppendEvaluation(PlaceAt(step), compared, full);
        return compared;
    }

    public void LogStep(long step, in StepResult result, double tokensPerSecond)
        => _metrics?.AppendStep(PlaceAt(step), result, tokensPerSecond, Config.Train.Precision.ScalesLoss() ? Trainer.LossScale.Scale : null, Trainer.ReadExpertLoads());

    /// <summary>Continues <c>train.samplePrompt</c> with the model as it is and logs it; the same draws every time, so that samples compare.</summary>
    public string Sample(long step, CancellationToken cancel = default)
    {
        _generator ??= new Generator(Model, Tokenizer, _arena);
        string prompt = Config.Train.SamplePrompt, text = _generator.Generate([prompt], Config.Generation, (ulong)Config.Train.Seed, cancellationToken: cancel).Samples[0].Text;
        if (_folder is not null)
        {
            MetricsJson.AppendSample(_folder.Samples, step, prompt, text);
        }

        return text;
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
            Step = step, Seconds = _secondsBefore + seconds, ElapsedSeconds = ElapsedSeconds, BestLoss = isBest ? _compared.Loss : State.BestLoss, LossScale = lossScale, GoodSteps = goodSteps,
        };
        if (_folder is null)
        {
            SavedStep = step;
            return null;
        }

        string path;
        try
        {
            _folder.Mend(Config);
            path = Write(_folder.Checkpoints, step, isBest);
            _folder.Mend(Config);
        }
        catch (UserException e) when (step > Math.Max(0, SavedStep))
        {
            throw new RunRescue(_folder, Config).Save(step, folder => Write(folder, step, isBest), e);
        }

        SavedStep = step;
        _folder.Checkpoints.Prune(Config.Train.KeepCheckpoints, Config.Train.CheckpointAtStart);
        return path;
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

    /// <summary>Tokens of the evaluations at the end of a run of so many steps.</summary>
    internal long LastEvaluationTokens(long steps) => _evaluator is null ? 0
        : _evaluator.Tokens.Part + (_evaluator.HasPart && TakesAll(steps) ? _evaluator.Tokens.All : 0);

    private bool TakesAll(long steps) => EvaluationShare.TakesAll(_evaluator!.Windows, Config.Train, Config.Model.Context, steps);

    private void Take(FittedPlan plan)
    {
        Planned = Config.Planned(plan.Steps, plan.EvaluateEvery);
        Trainer.Schedule = Trainer.Schedule.Fit(Planned, plan.Step);
        State = State with { Steps = plan.Steps, Plans = [.. State.Plans ?? [], plan] };
    }

    private string Write(CheckpointFolder checkpoints, long step, bool isBest)
    {
        Checkpoint checkpoint = checkpoints.Write(step,
        [
            ModelFile.Of(Model.Store),
            OptimizerFile.Of(Trainer.Optimizer, Model.Store),
            new CheckpointFile(RunConfig.FileName, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(Config.ToJson()))),
            new CheckpointFile(Text.Tokenizer.FileName, stream => stream.Write(Tokenizer.Serialize())),
        ],
        State.ToFile);
        if (isBest)
        {
            checkpoints.MarkBest(step, _compared.Loss);
        }

        return checkpoint.Path;
    }

    private RunPlace PlaceAt(long step)
        => new(step, ElapsedSeconds, step * Config.Train.Batch * Config.Train.Accumulate * Config.Model.Context);

    /// <summary>Goes on from a checkpoint: its parameters and moments are read already.</summary>
    internal void Continue(TrainState state)
    {
        if (state.Plans is { Count: > 0 } plans)
        {
            foreach (FittedPlan plan in plans)
            {
                Take(plan);
            }
        }
        else
        {
            Replan(state.Steps);
        }

        PlansToRepeat = MetricsJson.ReadPlans(_folder!.Metrics.Path, state.Step);
        Trainer.LossScale = (state.LossScale, state.GoodSteps);
        State = state;
        SavedStep = state.Step;
        _secondsBefore = state.Seconds;
        _elapsedBefore = state.ElapsedSeconds ?? state.Seconds;
        CutLogs(state.Step);
    }

    /// <summary>Cuts the logs back to what was written up to a step.</summary>
    internal void CutLogs(long step)
    {
        _folder!.Metrics.CutBackTo(step);
        _folder.Geometry.CutBackTo(step);
        _folder.CutSamples(step);
    }
}
