using NanoFold.Engine.Geometry;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Runs.Metrics;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Everything a run consists of, opened from a configuration: what is trained on, what computes (<see cref="RunParts"/>), how far it is (<see cref="RunProgress"/>), and the
/// folder it writes. <see cref="TrainLoop"/> moves it forward.
/// </summary>
public sealed class TrainSession : IDisposable
{
    private readonly RunFolder? _folder;
    private readonly RunParts _parts;
    private readonly RunProgress _progress;
    private readonly RunEvaluation _evaluation;
    private readonly RunSampler? _sampler;
    private readonly CheckpointWriter? _checkpoints;
    private readonly MetricsJson? _metrics;
    private readonly WeightDrift _drift;

    internal TrainSession(RunConfig config, LearningTask task, Backend backend, RunFolder? folder, bool drawsParameters = true, ICollective? collective = null)
    {
        Config = config;
        Task = task;
        _folder = folder;
        _parts = new RunParts(config, task, backend, folder, drawsParameters, collective ?? Alone.Instance);
        _progress = new RunProgress(config, Trainer, task.ContentHash);
        _evaluation = new RunEvaluation(Evaluator, config);
        _drift = new WeightDrift(config, Model);
        _sampler = task.Tokenizer is { } tokenizer ? new RunSampler(Model, tokenizer, config, _parts.Arena, folder) : null;
        FlopsPerToken = CostModel.FlopsPerToken(config.Model, config.Train.Trains);
        if (folder is not null)
        {
            _checkpoints = new CheckpointWriter(folder, config, _parts, task.Tokenizer);
            _metrics = new MetricsJson(folder.Metrics, FlopsPerToken, config.Train.Clip);
            if (config.Train.Tensorboard)
            {
                folder.MirrorEvents();
            }
        }
    }

    /// <summary>Resolved: what the run will do, in full.</summary>
    public RunConfig Config { get; }

    /// <inheritdoc cref="RunParts.Reference"/>
    internal Reference? Reference => _parts.Reference;

    /// <inheritdoc cref="RunParts.Left"/>
    internal IReadOnlySet<string> Left
    {
        get => _parts.Left;
        set => _parts.Left = value;
    }

    /// <inheritdoc cref="RunProgress.Planned"/>
    public TrainConfig Planned => _progress.Planned;

    public Transformer Model => _parts.Model;

    public Trainer Trainer => _parts.Trainer;

    /// <summary>What is learned.</summary>
    public LearningTask Task { get; }

    /// <summary>The processes that train together; number 0 has the folder, evaluates and measures.</summary>
    public ICollective Collective => Trainer.Collective;

    /// <summary>Scores the model on what is held back, also with points of the model edited; null where nothing is.</summary>
    public Evaluator? Evaluator => _parts.Evaluator;

    /// <summary>Of the text.</summary>
    /// <exception cref="UserException">The task has no text.</exception>
    public Text.Tokenizer Tokenizer => Task.Tokenizer ?? throw new UserException($"task {Config.Task.Kind}: has no text, so no tokenizer");

    /// <summary>Forward and backward, by <see cref="CostModel.FlopsPerToken"/>.</summary>
    public long FlopsPerToken { get; }

    /// <inheritdoc cref="RunProgress.State"/>
    public TrainState State => _progress.State;

    /// <inheritdoc cref="RunProgress.SavedStep"/>
    public long SavedStep => _progress.SavedStep;

    /// <summary>Measures the residual stream while training; null where <c>geometry.enabled</c> is false.</summary>
    public GeometryRecorder? Geometry => _parts.Geometry;

    /// <summary>The run's folder, or null where nothing is written.</summary>
    public string? RunPath => _folder?.Path;

    /// <inheritdoc cref="RunProgress.Clock"/>
    internal TimeProvider Clock
    {
        get => _progress.Clock;
        set => _progress.Clock = value;
    }

    /// <inheritdoc cref="RunProgress.ElapsedSeconds"/>
    internal double ElapsedSeconds => _progress.ElapsedSeconds;

    /// <inheritdoc cref="RunEvaluation.Tokens"/>
    internal long EvaluationTokens => _evaluation.Tokens;

    /// <inheritdoc cref="RunProgress.PlansToRepeat"/>
    internal IReadOnlyList<FittedPlan> PlansToRepeat => _progress.PlansToRepeat;

    /// <inheritdoc cref="RunOpening.Open"/>
    public static TrainSession Open(
        RunConfig config, Backend backend, string? folder = null, Action<string>? note = null, CancellationToken cancel = default, ICollective? collective = null)
        => RunJoining.Lead(collective ?? Alone.Instance, () => RunOpening.Open(config, backend, folder, note, cancel, collective ?? Alone.Instance));

    /// <inheritdoc cref="RunResuming.Resume"/>
    public static TrainSession Resume(
        string path, Backend backend, RunConfig? config = null, Action<string>? note = null, CancellationToken cancel = default, ICollective? collective = null)
        => RunJoining.Lead(collective ?? Alone.Instance, () => RunResuming.Resume(path, backend, config, note, cancel, collective ?? Alone.Instance));

    /// <inheritdoc cref="RunJoining.Join"/>
    public static TrainSession Join(Backend backend, ICollective collective, Action<string>? note = null, CancellationToken cancel = default)
        => RunJoining.Join(backend, collective, note, cancel);

    /// <inheritdoc cref="RunProgress.Replan"/>
    public void Replan(int steps) => _progress.Replan(steps);

    /// <summary>Changes the plan after some steps, and notes that in state and log.</summary>
    internal void Fit(FittedPlan plan)
    {
        _progress.Fit(plan);
        _metrics?.AppendPlan(PlaceAt(plan.Step), plan);
    }

    /// <summary>
    /// Evaluates on <c>train.evaluationWindows</c> windows, the same every time, and at the end on all besides (<see cref="TrainState.FullEvaluation"/>), where that is not long beside the steps. Logged
    /// where it is finite; null where there is nothing to validate with.
    /// </summary>
    public Evaluation? Evaluate(long step, bool isLast, CancellationToken cancel = default)
    {
        if (_evaluation.Run(step, isLast, cancel) is not var (compared, full))
        {
            _progress.State = State with { EvaluatedStep = step };
            return null;
        }

        if (double.IsFinite(compared.Loss))
        {
            _progress.State = State with { LastEvaluation = compared, FullEvaluation = full, EvaluatedStep = step };
            _metrics?.AppendEvaluation(PlaceAt(step), compared, full, _drift.Measure());
        }

        return compared;
    }

    /// <summary>
    /// Writes <see cref="DetailedEvaluation"/> of the model as it is into the run's folder where <c>train.detailedEvaluation</c> asks for it and it is not there yet. Nothing where
    /// there is no folder or nothing is held back.
    /// </summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="began">Told when it begins, for it may take long.</param>
    /// <param name="cancel">Ends it; nothing is written then.</param>
    internal void EvaluateInDetail(long step, Action began, CancellationToken cancel)
    {
        if (Config.Train.DetailedEvaluation && _folder is not null && Evaluator is not null && !DetailedEvaluation.IsThere(_folder.Path, step))
        {
            began();
            var detailed = new DetailedEvaluator(Model, Config, Task)
            {
                Arithmetic = Config.Train.Precision.Arithmetic(Model.Backend),
                Arena = _parts.Arena,
                Places = DetailedEvaluator.PlacesOf(TokensAt(step)),
            };
            _folder.WriteEvaluation(detailed.Run(step, cancel));
        }
    }

    /// <summary>Whether the evaluation after so many steps reached <c>train.until</c>; the same after the run was taken up again.</summary>
    internal bool IsReached(long step) => State.EvaluatedStep == step && State.LastEvaluation is { } last && Config.Train.Goal?.IsMetBy(last) == true;

    /// <inheritdoc cref="RunEvaluation.RequireGoal"/>
    internal void RequireGoal() => _evaluation.RequireGoal();

    public void LogStep(long step, in StepResult result, double tokensPerSecond)
        => _metrics?.AppendStep(PlaceAt(step), result, tokensPerSecond, Config.Train.Precision.ScalesLoss() ? Trainer.LossScale.Scale : null, Trainer.ReadExpertLoads());

    /// <summary>Continues <c>train.samplePrompt</c> with the model as it is and logs it; the same draws every time, so that samples compare.</summary>
    /// <exception cref="UserException">The task has no text.</exception>
    public string Sample(long step, CancellationToken cancel = default)
        => _sampler?.Sample(step, cancel) ?? throw new UserException($"task {Config.Task.Kind}: has no text, so no samples");

    /// <summary>Writes a checkpoint; marks it as the best where its evaluation is. Returns its path, or null where nothing is written.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="seconds">Spent on them since the run was opened.</param>
    public string? Save(long step, double seconds)
    {
        double? best = _evaluation.ShortfallAt(step) is { } found && found < (State.BestLoss ?? double.PositiveInfinity) ? found : null;
        _progress.Reach(step, seconds, best);
        string? path = _checkpoints?.Write(State, best, isNew: step > Math.Max(0, SavedStep));
        _progress.SavedStep = step;
        _checkpoints?.Prune();
        return path;
    }

    public void Dispose()
    {
        _sampler?.Dispose();
        _parts.Dispose();
        Task.Dispose();
        _folder?.Dispose();
    }

    /// <inheritdoc cref="RunEvaluation.LastTokens"/>
    internal long LastEvaluationTokens(long steps) => _evaluation.LastTokens(steps);

    /// <summary>Goes on after so many steps, of which process 0 has the state.</summary>
    internal void Begin(long step) => _progress.State = State with { Step = step };

    /// <summary>Goes on from a checkpoint: its parameters and moments are read already.</summary>
    internal void Continue(TrainState state)
    {
        _progress.Continue(state, MetricsJson.ReadPlans(_folder!.Metrics.Path, state.Step));
        CutLogs(state.Step);
    }

    /// <summary>Cuts the logs back to what was written up to a step.</summary>
    internal void CutLogs(long step)
    {
        _folder!.Metrics.CutBackTo(step);
        _folder.Geometry.CutBackTo(step);
        _folder.CutSamples(step);
        _folder.GoOnAfter(step);
    }

    /// <summary>Tokens trained on after so many steps.</summary>
    internal long TokensAt(long step) => step * Config.Train.Batch * Config.Train.Accumulate * Config.Model.Context;

    private RunPlace PlaceAt(long step) => new(step, ElapsedSeconds, TokensAt(step));
}
