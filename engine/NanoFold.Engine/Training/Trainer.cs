using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Training;

/// <summary>
/// A model, its optimizer and its task: one step is Accumulate × k and one Update. After the first, a step allocates no managed memory. Of several processes
/// each runs its part of a step's micro-batches, and all make the same update.
/// </summary>
public sealed class Trainer : IDisposable
{
    // The settings of a small model: those that no preset names.
    private const string Unnamed = "";

    private readonly Transformer _model;
    private readonly TrainConfig _config;
    private readonly BatchShape _shape;
    private readonly MicroBatches _batches;
    private readonly BatchBuffers _buffers;
    private readonly Replay _update;
    private readonly ICollective _collective;
    private readonly StepSum _sum;
    private readonly double[] _agreed = new double[2];
    private readonly SharedArena _arena;
    private readonly bool _ownsArena;
    private readonly TrainingPass _pass;
    private ExpertLoad[]? _expertLoads;
    private EventLog? _log;

    /// <param name="model">Its parameters, in float32, are trained.</param>
    /// <param name="config">Settings, whose precision is the activations'. What they leave open becomes that of a small model (<see cref="TrainConfig.Resolve"/>).</param>
    /// <param name="task">What it learns; not disposed here.</param>
    /// <param name="arena">Memory shared with what does not run during a step; null for its own.</param>
    /// <param name="collective">The processes that train together; null for this one alone.</param>
    /// <param name="reference">The model as it was when the run began, where <c>train.klWeight</c> asks for it; not disposed here.</param>
    /// <exception cref="UserException">The micro-batches of a step cannot be shared evenly by the processes, or what there is to train on is shorter than a row.</exception>
    public Trainer(Transformer model, TrainConfig config, LearningTask task, SharedArena? arena = null, ICollective? collective = null, Reference? reference = null)
    {
        _collective = collective ?? Alone.Instance;
        _arena = arena ?? new SharedArena(model.Backend);
        _ownsArena = arena is null;
        _model = model;
        _config = config = config.Resolve(Unnamed);
        // What can be refused comes before anything is allocated.
        task.RequireRows(model.Config.Context);
        _shape = new BatchShape(Math.Max(1, config.Batch), model.Config.Context);
        BatchField[] fields = task.Inputs(_shape.Time);
        _batches = new MicroBatches(task, fields, config, _collective);
        DType type = config.Precision.Arithmetic(model.Backend).Type;
        if (type.Is16Bit())
        {
            model.Store.Shadow(type);
        }

        State = model.Backend.NewState();
        LossScale = (config.Precision.ScalesLoss() ? LossScaling.Initial : 1, 0);
        _buffers = new BatchBuffers(model.Backend, fields, _shape.Rows, type);
        _pass = new TrainingPass(model, config, task, _buffers, State, reference);
        ReferenceBytes = reference?.Bytes ?? 0;
        Optimizer = new Optimizer(model.Store, config, State);
        _sum = new StepSum(model.Store, State, _collective, _batches.Count, clears: !model.Backend.OverwritesGradients);
        _update = new Replay(model.Backend, Optimizer.Update);
        Schedule = LearningRateSchedule.From(config, config.Steps);
    }

    public Optimizer Optimizer { get; }

    /// <summary>What its passes and its update read and add up; its free slots are for whoever sets what changes from step to step.</summary>
    public StepState State { get; }

    /// <summary>The processes that train together.</summary>
    public ICollective Collective => _collective;

    public LearningRateSchedule Schedule { get; set; }

    /// <summary>The factor on the loss's gradient, and good steps in a row with it: part of the state of training, changed by steps in half precision.</summary>
    public (double Scale, long GoodSteps) LossScale
    {
        get => (State.GetDouble(StepSlot.LossScale), State.GetInteger(StepSlot.GoodSteps));
        set
        {
            State.Set(StepSlot.LossScale, value.Scale);
            State.Set(StepSlot.GoodSteps, value.GoodSteps);
        }
    }

    /// <summary>Where the parts of a step and the calls of its plan are noted, or null.</summary>
    internal EventLog? Log
    {
        get => _log;
        set => Optimizer.Log = _log = value;
    }

    /// <summary>Bytes of activations, gradients of activations and scratch.</summary>
    public long ArenaBytes => Plan.ArenaBytes;

    /// <summary>Readers and editors of the training pass; setting it records the pass again.</summary>
    public TapSet? Taps
    {
        get => _pass.Taps;
        set => _pass.Taps = value;
    }

    /// <summary>Bytes of batches and of the model's tables.</summary>
    public long InputBytes => _buffers.Bytes + _model.TableBytes;

    /// <summary>Bytes of what carries gradients from one micro-batch to the next; none where a process runs a single one in a step.</summary>
    public long SumBytes => _sum.Bytes;

    /// <summary>Bytes of the model that it is compared with, where that is another.</summary>
    public long ReferenceBytes { get; }

    /// <summary>Bytes of parameters, gradients, optimizer state, inputs and activations: all that training allocates on the device.</summary>
    public long PeakBytes =>
        _model.Store.Bytes + ReferenceBytes + SumBytes + Optimizer.Bytes + InputBytes + ArenaBytes;

    /// <summary>The recorded step.</summary>
    public Plan Plan => _pass.Plan;

    /// <summary>Runs step <paramref name="step"/>, from 0: a pure function of the state before it and the seed.</summary>
    public StepResult Step(long step)
    {
        Begin(step);
        for (int i = 0; i < _batches.Count; i++)
        {
            Accumulate(i);
        }

        Update();
        // While a device works on this step the host draws the next batch; reading the state waits.
        _batches.DrawAhead(step + 1);
        StepState state = State;
        return new StepResult(
            state.GetDouble(StepSlot.Loss),
            Math.Sqrt(state.GetDouble(StepSlot.GradientSquares)),
            state.GetDouble(StepSlot.LearningRate),
            _config.Accumulate * _shape.Places)
        {
            OwnRates = Optimizer.ReadOwnRates(),
            Terms = LossTerms.Of(state, _pass.Terms),
        };
    }

    /// <summary>
    /// After a step that was not finite: runs it again, without the update, and names the first point, or else the first parameter gradient,
    /// that is not finite; null where all are. A process looks at all micro-batches by itself, so that every one finds the same.
    /// </summary>
    public string? FindNotFinite(long step)
    {
        var finder = new NotFiniteFinder();
        int targets = 0;
        for (int i = 0; i < _config.Accumulate; i++)
        {
            targets += _batches.DrawOne(step, i).Targets;
        }

        Prepare(step, targets, Schedule.At(step));
        _model.Store.ClearGradients();
        using Plan plan = _pass.Record(new TapSet([finder]), overwrites: false);
        _arena.Bind(plan);
        for (int i = 0; i < _config.Accumulate && finder.Found is null; i++)
        {
            Upload(_batches.DrawOne(step, i), i);
            plan.Run();
        }

        return finder.Found ?? NotFiniteFinder.FirstGradient(_model.Store);
    }

    /// <summary>Right after a step: what its routers sent where, none without routers. The same objects every time, filled again by the next call.</summary>
    public IReadOnlyList<ExpertLoad> ReadExpertLoads()
    {
        _expertLoads ??= [.. _model.Store.Routers.Select(router => new ExpertLoad(router))];
        foreach (ExpertLoad load in _expertLoads)
        {
            load.Read(_model.Store);
        }

        return _expertLoads;
    }

    public void Dispose()
    {
        _update.Dispose();
        _sum.Dispose();
        _pass.Dispose();
        Optimizer.Dispose();
        State.Dispose();
        if (_ownsArena)
        {
            _arena.Dispose();
        }

        _buffers.Dispose();
    }

    /// <summary>Forward and backward of one of this process's micro-batches; gradients add up, and after the last one they are those of all processes.</summary>
    internal void Accumulate(int index)
    {
        Upload(_batches[index], _batches.NumberOf(index));
        Plan plan = Plan;
        _arena.Bind(plan);
        if (_log is null)
        {
            plan.Run();
        }
        else
        {
            plan.Run(_log);
        }

        if (_sum.IsNeeded)
        {
            _log?.Begin(EventKind.Part, StepPart.Sum);
            _sum.Add(index);
            _log?.End();
        }
    }

    /// <summary>The update from the accumulated gradients.</summary>
    internal void Update()
    {
        if (_log is null)
        {
            _update.Run();
        }
        else
        {
            Optimizer.Update();
        }
    }

    /// <summary>Draws the batch and sets what this step's kernels read.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="batch">The step whose batch is taken; null for its own.</param>
    internal void Begin(long step, long? batch = null)
    {
        _log?.Begin(EventKind.Part, StepPart.Batch);
        _batches.Draw(batch ?? step);
        _log?.End();
        // The loss is divided by the targets of all; the rate is that of process 0, whose clock decides about the plan.
        (_agreed[0], _agreed[1]) = (_batches.Targets, _collective.Rank == 0 ? Schedule.At(step) : 0);
        _collective.Sum(_agreed);
        Prepare(step, (long)_agreed[0], _agreed[1]);
    }

    // What is the same for all micro-batches of a step, of whatever process.
    private void Prepare(long step, long targets, double factor)
    {
        _pass.Begin(step);
        StepState state = State;
        state.Set(StepSlot.Step, step + 1);
        state.Set(StepSlot.MicroBatchCount, (long)_config.Accumulate);
        state.Set(StepSlot.RandomKey, _config.Seed);
        state.Set(StepSlot.TargetCount, Math.Max(1, targets));
        Optimizer.Begin(step + 1, factor);
        state.ClearLosses();
        state.Set(StepSlot.GradientSquares, 0.0);
        _log?.Begin(EventKind.Part, StepPart.ZeroGradients);
        _pass.ClearGradients();
        _model.Store.ClearCounts();
        _log?.End();
    }

    private void Upload(BatchRows rows, int microBatch)
    {
        State.Set(StepSlot.MicroBatch, (long)microBatch);
        _log?.Begin(EventKind.Part, StepPart.Upload);
        _buffers.Upload(rows);
        _log?.End();
    }
}
