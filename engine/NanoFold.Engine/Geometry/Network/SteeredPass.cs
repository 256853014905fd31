using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>What a <see cref="SteeredPass"/> does at its points.</summary>
internal enum SteerKind
{
    /// <summary>Adds a given value to what is there.</summary>
    Add,

    /// <summary>Puts it in the place of what is there, so that nothing of before gets past the point.</summary>
    Replace,
}

/// <summary>
/// A pass through a model with given values at points, [B, T, C] each, and the gradients that come back to them: of the task's loss, or of Σ u · y over other points y for
/// given u. So y is a function of the values whose Jacobian's products with vectors from the left are the gradients. Where values replace what is there, each stretch
/// between two points is a function of its own, and all are had in one pass.
/// </summary>
internal sealed class SteeredPass : IDisposable
{
    private readonly Backend _backend;
    private readonly BatchBuffers _buffers;
    private readonly StepState _state;
    private readonly SharedArena _arena;
    private readonly Plan _plan;
    private readonly Steered[] _points;
    private readonly Output[] _outputs;
    private readonly Tensor _losses;

    /// <param name="model">Whose parameters stay as they are.</param>
    /// <param name="task">What it reads.</param>
    /// <param name="rows">The tokens.</param>
    /// <param name="kind">What is done at the points.</param>
    /// <param name="points">Full names, of shape [B, T, C].</param>
    /// <param name="outputs">Names of y; none for the task's loss.</param>
    public SteeredPass(Transformer model, LearningTask task, BatchRows rows, SteerKind kind, IReadOnlyList<string> points, IReadOnlyList<string> outputs)
    {
        _backend = model.Backend;
        DType type = model.Store.Type;
        _state = _backend.NewState();
        // What losses are multiplied with, and divided by: they are sums over targets.
        _state.Set(StepSlot.LossScale, 1.0);
        _state.Set(StepSlot.MicroBatchCount, 1L);
        _state.Set(StepSlot.TargetCount, 1L);
        _buffers = new BatchBuffers(_backend, rows.Fields, rows.Rows, type);
        _arena = new SharedArena(_backend);
        Elements = (long)rows.Rows * rows.Fields[0].Row[0] * model.Config.Width;
        Layout layout = Layout.Of(rows.Rows, rows.Fields[0].Row[0], model.Config.Width);
        _points = [.. points.Select(name => new Steered(name, kind, _backend, layout, type))];
        _outputs = [.. outputs.Select(name => new Output(name, _backend, layout, type))];
        var tape = new Tape(_backend, type, taps: new TapSet([], [.. _points, .. _outputs])) { State = _state, IsDifferentiated = true };
        if (outputs.Count == 0)
        {
            TaskLoss loss = task.RecordLoss(tape, model, _buffers.On(tape));
            tape.AddLoss(loss.Loss);
            if (loss.Scored is [{ IsNone: false } losses, ..] && losses.Layout.Count == layout.Rows)
            {
                tape.Keep(_losses = losses);
            }
        }
        else
        {
            task.RecordBody(tape, model, _buffers.On(tape));
        }

        _plan = new Plan(tape);
        _arena.Bind(_plan);
        Read(rows);
    }

    /// <summary>B · T · C.</summary>
    public long Elements { get; }

    /// <summary>Takes other tokens, as many as before.</summary>
    public void Read(BatchRows rows) => _buffers.Upload(rows);

    /// <summary>Sets the value that is given at a point; 0 before.</summary>
    public void Give(int point, ReadOnlySpan<double> value) => _backend.Write(value, _points[point].Given);

    /// <summary>Sets u of an output; 0 before.</summary>
    public void Weigh(int output, ReadOnlySpan<double> weights) => _backend.Write(weights, _outputs[output].Weights);

    /// <summary>Runs both ways.</summary>
    public void Run() => _plan.Run();

    /// <summary>Runs forward alone.</summary>
    public void RunForward() => _plan.RunForward();

    /// <summary>What was at a point before anything was done there.</summary>
    public void ReadValue(int point, Span<double> value) => _backend.Read(_plan[_points[point].Value], value);

    /// <summary>The gradient that came back to the value given at a point.</summary>
    public void ReadGradient(int point, Span<double> gradient) => _backend.Read(_points[point].Gradient, gradient);

    /// <summary>y.</summary>
    public void ReadOutput(int output, Span<double> value) => _backend.Read(_plan[_outputs[output].Value], value);

    /// <summary>Whether the task's loss is one of places.</summary>
    public bool HasLosses => !_losses.IsNone;

    /// <summary>The loss of each place, [B · T], 0 where nothing is asked.</summary>
    public void ReadLosses(Span<double> losses) => _backend.Read(_plan[_losses], losses);

    public void Dispose()
    {
        _plan.Dispose();
        _arena.Dispose();
        _state.Dispose();
        _buffers.Dispose();
        foreach (Steered point in _points)
        {
            point.Dispose();
        }

        foreach (Output output in _outputs)
        {
            output.Dispose();
        }
    }

    private sealed class Steered(string name, SteerKind kind, Backend backend, Layout layout, DType type) : ITapEditor, IDisposable
    {
        private readonly DeviceBuffer _given = backend.Allocate(layout.Count * type.Size());
        private readonly DeviceBuffer _gradient = backend.Allocate(layout.Count * type.Size());

        public string Pattern => name;

        public Tensor Value { get; private set; }

        public View Given => new(_given, 0, layout, type);

        public View Gradient => new(_gradient, 0, layout, type);

        public Tensor Edit(Tape tape, string name, Tensor value)
        {
            // Kept as it is here, whatever the next op does with it.
            Value = BroadcastOp.Contiguous(tape, value);
            tape.Keep(Value);
            Tensor given = tape.External(name, Given);
            return CatchGradientOp.Record(tape, kind == SteerKind.Replace ? given : AddOp.Record(tape, value, given), tape.External(name, Gradient));
        }

        public void Dispose()
        {
            _given.Dispose();
            _gradient.Dispose();
        }
    }

    private sealed class Output(string name, Backend backend, Layout layout, DType type) : ITapEditor, IDisposable
    {
        private readonly DeviceBuffer _weights = backend.Allocate(layout.Count * type.Size());

        public string Pattern => name;

        public Tensor Value { get; private set; }

        public View Weights => new(_weights, 0, layout, type);

        public Tensor Edit(Tape tape, string name, Tensor value)
        {
            Value = BroadcastOp.Contiguous(tape, value);
            tape.Keep(Value);
            tape.AddLoss(DotOp.Record(tape, Value, tape.External(name, Weights)));
            return value;
        }

        public void Dispose() => _weights.Dispose();
    }
}
