using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>
/// Runs a tape in the order of its plan, but with memory of its own for each value, each recomputed value and each gradient, filled with NaN before
/// it is written. What a backward call has said it will not read is filled with NaN for as long as the call lasts, and so is all scratch. A plan
/// whose blocks overlap, or an op that reads more than it says, gives other results.
/// </summary>
internal sealed class SeparateMemory : IDisposable
{
    private readonly Tape _tape;
    private readonly PlanSchedule _schedule;
    private readonly Dictionary<(char Kind, int Id), View> _memory = [];
    private readonly List<IDisposable> _owned = [];

    public SeparateMemory(Tape tape, bool recompute = false)
    {
        _tape = tape;
        _schedule = new PlanSchedule(tape, recompute);
    }

    private Backend Backend => _tape.Backend;

    public void Run()
    {
        foreach (ScheduledCall call in _schedule.Calls)
        {
            if (call.Kind == PlanStepKind.Fill)
            {
                Backend.Fill(Gradient(call.Target), call.Value);
                continue;
            }

            Node node = _tape.Nodes[call.Node];
            if (call.Kind == PlanStepKind.Forward)
            {
                node.Op.Forward(Backend, Call(node, call, backward: false));
            }
            else
            {
                RunBackward(node, call);
            }
        }
    }

    public double[] Read(Tensor tensor) => Host.Read(Backend, Value(tensor.Id, recomputed: false));

    public void Dispose() => _owned.ForEach(o => o.Dispose());

    private void RunBackward(Node node, ScheduledCall call)
    {
        OpCall operands = Call(node, call, backward: true);
        IEnumerable<(int Id, bool Read)> inputs = node.Inputs.Select((t, i) => (Tensor: t, Read: _schedule.BackwardReads(node, i)))
            .Where(i => !i.Tensor.IsNone).Select(i => (i.Tensor.Id, i.Read));
        IEnumerable<(int Id, bool Read)> outputs = node.Outputs.Select((t, i) => (t.Id, node.Op.BackwardReadsOutput(i)));
        (View View, double[] Values)[] unread = [.. inputs.Concat(outputs).GroupBy(o => o.Id).Where(o => !o.Any(x => x.Read))
            .Select(o => Value(o.Key, _schedule.ReadsRecomputed(call, o.Key)))
            .Where(view => view.Type != DType.Int32)
            .Select(view => (view, Host.Read(Backend, view)))];
        foreach ((View view, _) in unread)
        {
            Backend.Fill(view, double.NaN);
        }

        node.Op.Backward(Backend, operands);
        foreach ((View view, double[] values) in unread)
        {
            Host.Write(Backend, view, values);
        }
    }

    private OpCall Call(Node node, ScheduledCall call, bool backward)
    {
        View[] inputs = [.. node.Inputs.Select(t => t.IsNone ? default : Value(t.Id, _schedule.ReadsRecomputed(call, t.Id)).With(t.Layout, t.Offset))];
        View[] outputs = [.. node.Outputs.Select(t => Value(t.Id, _schedule.ReadsRecomputed(call, t.Id)))];
        View[] inputGradients = [.. node.Inputs.Select((t, i) =>
            backward && !t.IsNone && _schedule.WantsGradient(node, i) ? Gradient(t.Id).With(t.Layout, t.Offset) : default)];
        View[] outputGradients = [.. node.Outputs.Select(t => backward && _schedule.HasGradient(t.Id) ? Gradient(t.Id) : default)];
        return new OpCall(_tape, node, inputs, outputs, inputGradients, outputGradients, call.Accumulate, Scratch(node, backward));
    }

    private View Scratch(Node node, bool backward)
    {
        long bytes = backward ? node.Op.BackwardScratchBytes(node) : node.Op.ForwardScratchBytes(node);
        if (bytes == 0)
        {
            return default;
        }

        DType type = _tape.Type.Sum();
        return New(Layout.Of((int)((bytes + type.Size() - 1) / type.Size())), type);
    }

    private View Value(int id, bool recomputed)
    {
        TapeValue value = _tape.Values[id];
        return value.Kind switch
        {
            ValueKind.Parameter => value.Parameter!.Store.Values(value.Parameter, value.Type),
            ValueKind.External => value.External,
            _ => Memory((recomputed ? 'r' : 'v', id), value),
        };
    }

    private View Gradient(int id)
    {
        TapeValue value = _tape.Values[id];
        return value.Kind == ValueKind.Parameter ? value.Parameter!.Store.Gradients(value.Parameter) : Memory(('g', id), value);
    }

    private View Memory((char, int) key, TapeValue value)
    {
        if (!_memory.TryGetValue(key, out View view))
        {
            _memory.Add(key, view = New(value.Layout, value.Type));
        }

        return view;
    }

    private View New(Layout layout, DType type)
    {
        DeviceBuffer buffer = Backend.Allocate(layout.Count * type.Size());
        _owned.Add(buffer);
        var view = new View(buffer, 0, layout, type);
        // NaN's integer counterpart: far outside of any table.
        Backend.Fill(view, type == DType.Int32 ? int.MinValue / 2 : double.NaN);
        return view;
    }
}
