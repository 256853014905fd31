using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>Orders a tape's calls, follows how long each value and gradient lives, and resolves handles to memory.</summary>
internal sealed class PlanBuilder
{
    private readonly Tape _tape;
    private readonly IReadOnlyList<TapeValue> _values;
    private readonly PlanSchedule _schedule;
    private readonly ArenaLayout _arena = new();

    // Blocks of the arena by value: as first computed, as recomputed, its gradient. −1: none.
    private readonly int[] _original;
    private readonly int[] _recomputed;
    private readonly int[] _gradient;
    private int[] _scratch = [];

    public PlanBuilder(Tape tape, bool recompute, bool overwrites = false)
    {
        _tape = tape;
        _values = tape.Values;
        _schedule = new PlanSchedule(tape, recompute, overwrites);
        _original = NoBlocks();
        _recomputed = NoBlocks();
        _gradient = NoBlocks();
    }

    public int StepCount => _schedule.Calls.Count;

    /// <summary>Lays out the arena; returns its bytes.</summary>
    public long Build()
    {
        IReadOnlyList<ScheduledCall> calls = _schedule.Calls;
        _scratch = new int[calls.Count];
        for (int t = 0; t < calls.Count; t++)
        {
            TouchOperands(calls[t], t, _schedule.Together(t));
        }

        for (int id = 0; id < _values.Count; id++)
        {
            if (_values[id].Kept && _original[id] >= 0)
            {
                _arena.Touch(_original[id], 0);
                _arena.Touch(_original[id], calls.Count);
            }
        }

        return _arena.Place();
    }

    public PlanStep[] Resolve(DeviceBuffer arena)
    {
        var steps = new PlanStep[_schedule.Calls.Count];
        for (int t = 0; t < steps.Length; t++)
        {
            ScheduledCall call = _schedule.Calls[t];
            if (call.Kind == PlanStepKind.Fill)
            {
                steps[t] = new(call.Kind, null, false, Gradient(call.Target, _values[call.Target].Layout, 0, arena), call.Value);
                continue;
            }

            Node node = _tape.Nodes[call.Node];
            bool backward = call.Kind == PlanStepKind.Backward;
            var inputs = new View[node.Inputs.Count];
            var inputGradients = new View[node.Inputs.Count];
            var outputs = new View[node.Outputs.Count];
            var outputGradients = new View[node.Outputs.Count];
            for (int i = 0; i < inputs.Length; i++)
            {
                Tensor input = node.Inputs[i];
                if (!input.IsNone)
                {
                    inputs[i] = Value(input, call, arena);
                    inputGradients[i] = backward && _schedule.WantsGradient(node, i) ? Gradient(input.Id, input.Layout, input.Offset, arena) : default;
                }
            }

            for (int i = 0; i < outputs.Length; i++)
            {
                Tensor output = node.Outputs[i];
                outputs[i] = Value(output, call, arena);
                outputGradients[i] = backward && _schedule.HasGradient(output.Id) ? Gradient(output.Id, output.Layout, 0, arena) : default;
            }

            View scratch = _scratch[t] < 0 ? default : Scratch(node, backward, arena, _arena.Offset(_scratch[t]));
            var bound = new OpCall(_tape, node, inputs, outputs, inputGradients, outputGradients, call.Accumulate, scratch);
            steps[t] = new(call.Kind, bound, call.IsRecomputed, default, 0) { Prepared = backward ? null : node.Op.Prepare(_tape.Backend, bound) };
        }

        return steps;
    }

    /// <summary>The calls of a run: those of <see cref="Resolve"/>, those that are done together in one.</summary>
    public IEnumerable<PlanStep> Joined(PlanStep[] steps)
    {
        for (int t = 0, last; t < steps.Length; t = last + 1)
        {
            (_, last) = _schedule.Together(t);
            PlanStep[] together = steps[t..(last + 1)];
            if (together.Length == 1 || together.Any(step => step.Prepared is not null))
            {
                foreach (PlanStep step in together)
                {
                    yield return step;
                }
            }
            else if (!_schedule.IsProduct(_schedule.Calls[t]))
            {
                yield return steps[t] with { Together = [.. together.Select(step => (Action)(() => step.Run(_tape.Backend)))] };
            }
            else
            {
                yield return steps[t] with { Products = [.. together.Select(step => step.Call!.Node.Op.ForwardProduct(step.Call))] };
            }
        }
    }

    public bool WritesGradient(Parameter parameter)
    {
        for (int id = 0; id < _values.Count; id++)
        {
            if (_values[id].Parameters.Contains(parameter))
            {
                return _schedule.HasGradient(id);
            }
        }

        return false;
    }

    public PlanProfile Profile() => new PlanProfiler(_tape, _schedule.Calls, _arena, [.. Holders()]).Profile();

    public View View(Tensor tensor, DeviceBuffer arena) => Original(tensor, arena);

    // Every block and what it is for.
    private IEnumerable<(int Block, string Name)> Holders()
    {
        for (int id = 0; id < _values.Count; id++)
        {
            string name = _values[id].Name;
            yield return (_original[id], name);
            yield return (_recomputed[id], name);
            yield return (_gradient[id], $"gradient of {name}");
        }

        for (int t = 0; t < _scratch.Length; t++)
        {
            int node = _schedule.Calls[t].Node;
            yield return (_scratch[t], node < 0 ? "" : $"scratch of {_tape.Nodes[node].Op.Name}");
        }
    }

    private int[] NoBlocks()
    {
        var blocks = new int[_values.Count];
        Array.Fill(blocks, -1);
        return blocks;
    }

    // Calls that are done at the same time need their operands from the first to the last of them.
    private void TouchOperands(in ScheduledCall call, int t, (int First, int Last) together)
    {
        _scratch[t] = -1;
        if (call.Kind == PlanStepKind.Fill)
        {
            TouchGradient(call.Target, together);
            return;
        }

        Node node = _tape.Nodes[call.Node];
        bool backward = call.Kind == PlanStepKind.Backward;
        for (int i = 0; i < node.Inputs.Count; i++)
        {
            Tensor input = node.Inputs[i];
            if (input.IsNone)
            {
                continue;
            }

            if (!backward || _schedule.BackwardReads(node, i))
            {
                TouchValue(input.Id, call, together);
            }

            if (backward && _schedule.WantsGradient(node, i))
            {
                TouchGradient(input.Id, together);
            }
        }

        for (int i = 0; i < node.Outputs.Count; i++)
        {
            int id = node.Outputs[i].Id;
            if (!backward || node.Op.BackwardReadsOutput(i))
            {
                TouchValue(id, call, together);
            }

            if (backward && _schedule.HasGradient(id))
            {
                TouchGradient(id, together);
            }
        }

        long scratchBytes = backward ? node.Op.BackwardScratchBytes(node) : node.Op.ForwardScratchBytes(node);
        if (scratchBytes > 0)
        {
            _scratch[t] = _arena.Add(scratchBytes, together.First);
            _arena.Touch(_scratch[t], together.Last);
        }
    }

    private void TouchValue(int id, in ScheduledCall call, (int First, int Last) calls)
    {
        TapeValue value = _values[id];
        if (value.Kind == ValueKind.Activation)
        {
            Touch(_schedule.ReadsRecomputed(call, id) ? _recomputed : _original, id, calls);
        }
    }

    private void TouchGradient(int id, (int First, int Last) calls)
    {
        if (_values[id].Kind == ValueKind.Activation)
        {
            Touch(_gradient, _schedule.GradientMemory(id), calls);
        }
    }

    private void Touch(int[] blocks, int id, (int First, int Last) calls)
    {
        if (blocks[id] < 0)
        {
            blocks[id] = _arena.Add(_values[id].Layout.Count * _values[id].Type.Size(), calls.First);
        }

        _arena.Touch(blocks[id], calls.First);
        _arena.Touch(blocks[id], calls.Last);
    }

    private View Value(Tensor tensor, in ScheduledCall call, DeviceBuffer arena)
    {
        bool recomputed = _values[tensor.Id].Kind == ValueKind.Activation && _schedule.ReadsRecomputed(call, tensor.Id);
        return recomputed ? InArena(_recomputed[tensor.Id], tensor, arena) : Original(tensor, arena);
    }

    private View Original(Tensor tensor, DeviceBuffer arena)
    {
        TapeValue value = _values[tensor.Id];
        return value.Kind switch
        {
            ValueKind.Parameter => value.Parameter!.Store.Values(value.Parameter, value.Type).With(tensor.Layout, tensor.Offset),
            ValueKind.External => value.External.With(tensor.Layout, tensor.Offset),
            _ => InArena(_original[tensor.Id], tensor, arena),
        };
    }

    private View Gradient(int id, in Layout layout, long offset, DeviceBuffer arena)
    {
        TapeValue value = _values[id];
        return value.Kind == ValueKind.Parameter
            ? value.Parameter!.Store.Gradients(value.Parameter).With(layout, offset)
            : InArena(_gradient[_schedule.GradientMemory(id)], new Tensor(id, offset, layout, value.Type), arena);
    }

    // A value that no call of this plan touches has no block; its view is none.
    private View InArena(int block, Tensor tensor, DeviceBuffer arena) => block < 0
        ? default
        : new View(arena, _arena.Offset(block) / tensor.Type.Size() + tensor.Offset, tensor.Layout, tensor.Type);

    private View Scratch(Node node, bool backward, DeviceBuffer arena, long offset)
    {
        long bytes = backward ? node.Op.BackwardScratchBytes(node) : node.Op.ForwardScratchBytes(node);
        DType type = _tape.Type.Sum();
        return new View(arena, offset / type.Size(), Layout.Of(checked((int)((bytes + type.Size() - 1) / type.Size()))), type);
    }
}
