using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Autograd;

/// <summary>One call in the order of a plan. <see cref="Target"/> and <see cref="Value"/> belong to <see cref="PlanStepKind.Fill"/>.</summary>
internal readonly record struct ScheduledCall(PlanStepKind Kind, int Node, bool IsRecomputed, bool[] Accumulate, int Target, double Value);

/// <summary>
/// The order of calls: forward, then, for a training tape with losses, backward in reverse; with recomputation each segment's
/// forward again just before its backward.
/// </summary>
internal sealed class PlanSchedule
{
    private readonly Tape _tape;
    private readonly IReadOnlyList<TapeValue> _values;
    private readonly List<ScheduledCall> _calls = [];
    private readonly GradientFlow _gradients;
    private readonly bool[] _isRecomputed;
    private readonly CallGroups _groups;

    public PlanSchedule(Tape tape, bool recompute, bool overwrites = false)
    {
        _tape = tape;
        _values = tape.Values;
        _gradients = new GradientFlow(tape, overwrites);
        _isRecomputed = new bool[_values.Count];
        foreach (Node node in tape.Nodes)
        {
            _calls.Add(new(PlanStepKind.Forward, node.Index, false, [], 0, 0));
        }

        if (tape.HasBackward && tape.Losses.Count > 0)
        {
            if (recompute)
            {
                ChooseRecomputed();
            }

            AddBackward();
        }

        _groups = new CallGroups(tape, this, _gradients);
    }

    public IReadOnlyList<ScheduledCall> Calls => _calls;

    /// <inheritdoc cref="CallGroups.Of"/>
    public (int First, int Last) Together(int call) => _groups.Of(call);

    /// <inheritdoc cref="CallGroups.IsProduct"/>
    public bool IsProduct(in ScheduledCall call) => _groups.IsProduct(call);

    public bool HasGradient(int id) => _gradients.Has(id);

    /// <inheritdoc cref="GradientFlow.MemoryOf"/>
    public int GradientMemory(int id) => _gradients.MemoryOf(id);

    public bool WantsGradient(Node node, int input) => _gradients.Wants(node, input);

    /// <summary>Whether the backward call of a node reads an input's value.</summary>
    public bool BackwardReads(Node node, int input) => node.Op.BackwardReadsInput(input, i => WantsGradient(node, i));

    /// <summary>Whether a call sees the recomputed copy of a value rather than the first one.</summary>
    public bool ReadsRecomputed(in ScheduledCall call, int id) =>
        _isRecomputed[id] && (call.IsRecomputed || call.Kind == PlanStepKind.Backward);

    // Inside a segment a value is recomputed if its backward needs it and nothing outside the segment uses it.
    private void ChooseRecomputed()
    {
        var needed = new bool[_values.Count];
        foreach (Node node in _tape.Nodes.Where(_gradients.Reaches))
        {
            MarkRead(node, needed);
        }

        for (int n = _tape.Nodes.Count - 1; n >= 0; n--)
        {
            Node node = _tape.Nodes[n];
            if (node.Segment < 0 || node.Op.HasSideEffects || !node.Outputs.Any(o => needed[o.Id]) || node.Outputs.Any(IsUsedOutside))
            {
                continue;
            }

            foreach (Tensor output in node.Outputs)
            {
                _isRecomputed[output.Id] = true;
            }

            foreach (Tensor input in node.Inputs.Where(t => !t.IsNone))
            {
                needed[input.Id] = true;
            }
        }
    }

    private void MarkRead(Node node, bool[] needed)
    {
        for (int i = 0; i < node.Inputs.Count; i++)
        {
            if (!node.Inputs[i].IsNone && BackwardReads(node, i))
            {
                needed[node.Inputs[i].Id] = true;
            }
        }

        for (int i = 0; i < node.Outputs.Count; i++)
        {
            if (node.Op.BackwardReadsOutput(i))
            {
                needed[node.Outputs[i].Id] = true;
            }
        }
    }

    private bool IsUsedOutside(Tensor output)
    {
        int segment = _tape.Nodes[_values[output.Id].Producer].Segment;
        return _values[output.Id].Kept || _tape.Nodes.Any(n => n.Segment != segment && n.Inputs.Any(i => !i.IsNone && i.Id == output.Id));
    }

    private void AddBackward()
    {
        foreach (Tensor loss in _tape.Losses)
        {
            if (_gradients.Has(loss.Id) && !_gradients.IsFilled(loss.Id))
            {
                AddFill(loss.Id, 1);
            }
        }

        int segment = -1;
        for (int n = _tape.Nodes.Count - 1; n >= 0; n--)
        {
            Node node = _tape.Nodes[n];
            if (!_gradients.Reaches(node))
            {
                continue;
            }

            if (node.Segment >= 0 && node.Segment != segment)
            {
                segment = node.Segment;
                AddRecomputation(segment);
            }

            AddBackward(node);
        }
    }

    private void AddRecomputation(int segment)
    {
        foreach (Node node in _tape.Nodes)
        {
            if (node.Segment == segment && node.Outputs.Any(o => _isRecomputed[o.Id]))
            {
                _calls.Add(new(PlanStepKind.Forward, node.Index, true, [], 0, 0));
            }
        }
    }

    private void AddBackward(Node node)
    {
        var accumulate = new bool[node.Inputs.Count];
        for (int i = 0; i < accumulate.Length; i++)
        {
            if (!WantsGradient(node, i))
            {
                continue;
            }

            if (_gradients.NeedsZero(node.Inputs[i].Id))
            {
                AddFill(node.Inputs[i].Id, 0);
            }

            accumulate[i] = _gradients.Write(node.Inputs[i]);
        }

        _gradients.ShareMemory(node, accumulate);
        _calls.Add(new(PlanStepKind.Backward, node.Index, false, accumulate, 0, 0));
    }

    private void AddFill(int id, double value)
    {
        _calls.Add(new(PlanStepKind.Fill, -1, false, [], id, value));
        _gradients.Fill(id);
    }
}
