using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>
/// The forward and backward pass of a micro-batch: recorded when it is first asked for, and again where taps are set or parts of the model work in another way
/// from a step on.
/// </summary>
/// <param name="model">Its parameters get gradients.</param>
/// <param name="config">Resolved settings.</param>
/// <param name="task">What it learns.</param>
/// <param name="buffers">The micro-batch on the device.</param>
/// <param name="state">What its kernels read and add up.</param>
/// <param name="reference">What it should not drift from, or null.</param>
internal sealed class TrainingPass(Transformer model, TrainConfig config, LearningTask task, BatchBuffers buffers, StepState state, Reference? reference) : IDisposable
{
    private readonly long[] _changes = [.. model.Config.LayerConfigs().Select(layer => layer.Mixer.Traits(model.Config).WarmUpSteps).Where(steps => steps > 0).Distinct()];
    private readonly bool _overwrites = model.Backend.OverwritesGradients;
    private Plan? _plan;
    private Parameter[]? _left;
    private LossTerm[]? _terms;
    private long _recordedFor = long.MaxValue;
    private TapSet? _taps;

    /// <summary>Readers and editors; setting them records the pass again.</summary>
    public TapSet? Taps
    {
        get => _taps;
        set
        {
            _taps = value;
            Dispose();
        }
    }

    public Plan Plan => _plan ??= Record(_taps, _overwrites);

    /// <summary>What it adds to the loss, in the order in which it is reported.</summary>
    public LossTerm[] Terms => _terms ??= LossTerms.InOrder(Plan.Tape.LossTerms);

    /// <summary>To be called before a step, from 0.</summary>
    public void Begin(long step)
    {
        foreach (long change in _changes)
        {
            if (step < change != _recordedFor < change)
            {
                _recordedFor = step;
                Dispose();
                return;
            }
        }
    }

    /// <summary>Before the first micro-batch of a step: sets gradients to 0, all of them or, where passes begin them, those that they leave alone.</summary>
    public void ClearGradients()
    {
        if (!_overwrites)
        {
            model.Store.ClearGradients();
            return;
        }

        foreach (Parameter parameter in _left ??= [.. model.Store.Parameters.Where(p => !p.Frozen && !Plan.WritesGradient(p))])
        {
            model.Backend.Fill(model.Store.Gradients(parameter), 0);
        }
    }

    /// <summary>Records the same pass with other taps.</summary>
    /// <param name="taps">Readers and editors.</param>
    /// <param name="overwrites">Whether it begins the gradients of parameters rather than adding to them.</param>
    public Plan Record(TapSet? taps, bool overwrites)
    {
        var tape = new Tape(model.Backend, config.Precision.Arithmetic(model.Backend), training: true, taps) { Step = _recordedFor, State = state };
        BatchTensors batch = buffers.On(tape);
        TaskLoss loss = task.RecordLoss(tape, model, batch);
        if (reference is not null && config.KlWeight > 0)
        {
            RecordDivergence(tape, reference, batch, loss);
        }

        return new Plan(tape, config.Recompute, overwrites);
    }

    // weight · Σ KL(model ‖ reference) over the places with a target ÷ their number, and the divergence alone for those who read.
    private void RecordDivergence(Tape tape, Reference from, BatchTensors batch, TaskLoss loss)
    {
        if (loss.Stream.IsNone)
        {
            throw new UserException($"train.klWeight: {task.Name} has a loss of its own, beside which there is no divergence; leave it out");
        }

        if ((model.Language.WhyNoLosses ?? from.Model.Language.WhyNoLosses) is { } reason)
        {
            throw new UserException($"train.klWeight: {reason}");
        }

        (Tensor Stream, Tensor Weight) said;
        using (tape.AsReference(from.IsWithoutAdapters))
        {
            said = from.Model.Language.AsReference(tape, task.RecordBody(tape, from.Model, batch));
        }

        Tensor nats = model.Language.Divergence(tape, loss.Stream, said, batch[BatchField.Targets]);
        tape.AddLoss(LossTermOp.Record(tape, nats, "klLoss", config.KlWeight, perTarget: true));
        LossTermOp.Record(tape, nats, "kl", perTarget: true);
    }

    public void Dispose()
    {
        _plan?.Dispose();
        _plan = null;
        _left = null;
        _terms = null;
    }
}

/// <summary>The model as it was when a run began, from which what is trained should not drift (<c>train.klWeight</c>).</summary>
/// <param name="Model">Its own, none of whose parameters is trained; or the model that is trained itself, where that is this one but for its adapters.</param>
/// <param name="IsWithoutAdapters">Which of both.</param>
public sealed record Reference(Transformer Model, bool IsWithoutAdapters)
{
    /// <summary>Bytes that it takes besides the model that is trained.</summary>
    public long Bytes => IsWithoutAdapters ? 0 : Model.Store.Bytes + Model.TableBytes;
}
