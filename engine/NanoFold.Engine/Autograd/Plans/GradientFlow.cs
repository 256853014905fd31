using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// Which values have a gradient, and how it begins as the backward pass is laid out call by call: the first part of it overwrites or a zero goes before, and
/// where it is another gradient as it stands (<see cref="Op.PassesGradient"/>) both are one memory.
/// </summary>
internal sealed class GradientFlow
{
    /// <summary>Stands for all of a gradient, where parts are told apart by where they begin.</summary>
    public const long Whole = -1;

    private readonly Tape _tape;
    private readonly IReadOnlyList<TapeValue> _values;
    private readonly bool _overwrites;
    private readonly bool[] _has;
    private readonly bool[] _zeroFirst;
    private readonly int[] _memory;
    private readonly Dictionary<int, LastAxisParts> _parts = [];

    // What is written of a gradient so far: all of it, or parts by where they begin.
    private readonly HashSet<(int Id, long Part)> _written = [];

    /// <param name="tape">A training tape with losses, or one without a backward pass.</param>
    /// <param name="overwrites">Whether gradients of parameters begin here too, rather than grow from what is there.</param>
    public GradientFlow(Tape tape, bool overwrites)
    {
        _tape = tape;
        _values = tape.Values;
        _overwrites = overwrites;
        _has = new bool[_values.Count];
        _zeroFirst = new bool[_values.Count];
        _memory = [.. Enumerable.Range(0, _values.Count)];
        if (tape.HasBackward && tape.Losses.Count > 0)
        {
            Follow();
        }
    }

    public bool Has(int id) => _has[id];

    /// <summary>The value in whose gradient's memory the gradient of a value lies: its own in most cases.</summary>
    public int MemoryOf(int id) => _memory[id];

    /// <summary>Where the part of a gradient begins that a handle sees, if parts have no element in common; otherwise <see cref="Whole"/>.</summary>
    public long PartOf(Tensor handle) => _zeroFirst[handle.Id] || !_parts.TryGetValue(handle.Id, out LastAxisParts? parts) || !parts.AreWhole ? Whole : handle.Offset;

    public bool Wants(Node node, int input)
    {
        Tensor tensor = node.Inputs[input];
        return !tensor.IsNone && node.Op.IsDifferentiable(input) && _has[tensor.Id] && _values[tensor.Id].NeedsGradient;
    }

    /// <summary>Whether a gradient comes back to a node.</summary>
    public bool Reaches(Node node) => node.Outputs.Any(output => _has[output.Id]);

    /// <summary>Notes that the whole gradient was set.</summary>
    public void Fill(int id) => _written.Add((id, Whole));

    public bool IsFilled(int id) => _written.Contains((id, Whole));

    /// <summary>Whether a zero has to go before what a call is about to add.</summary>
    public bool NeedsZero(int id) => _zeroFirst[id] && !Grows(id) && !IsFilled(id);

    /// <summary>Notes that a call writes to the gradient of an input; whether it adds to what is there.</summary>
    public bool Write(Tensor input)
    {
        int id = input.Id;
        return Grows(id) || IsFilled(id) || !_written.Add((id, input.Offset));
    }

    /// <summary>
    /// After the writes of a node's backward call are noted: the gradients that its output's is as it stands, if there are any, are that memory from now on. Nothing reads the output's
    /// after this call, and nothing wrote theirs before it.
    /// </summary>
    public void ShareMemory(Node node, bool[] accumulate)
    {
        int output = node.Outputs[0].Id;
        for (int i = 0; i < node.Inputs.Count; i++)
        {
            if (!accumulate[i] && Wants(node, i) && node.Op.PassesGradient(i) && _has[output] && IsAlike(node, i))
            {
                _memory[node.Inputs[i].Id] = _memory[output];
                return;
            }
        }
    }

    // Gradients of parameters add up over runs unless they begin in each.
    private bool Grows(int id) => _values[id].Kind == ValueKind.Parameter && !_overwrites;

    private bool IsAlike(Node node, int i)
    {
        (Tensor input, Tensor output) = (node.Inputs[i], node.Outputs[0]);
        return _values[input.Id].Kind == ValueKind.Activation && input.Type == output.Type && input.Offset == 0 && input.Layout.IsContiguous
            && input.Layout.Count == output.Layout.Count && CoversWhole(input) && node.Inputs.Count(other => !other.IsNone && other.Id == input.Id) == 1;
    }

    // Marks every value through which a loss depends on something trained.
    private void Follow()
    {
        foreach (Tensor loss in _tape.Losses)
        {
            _has[loss.Id] = _values[loss.Id].NeedsGradient;
        }

        for (int n = _tape.Nodes.Count - 1; n >= 0; n--)
        {
            Node node = _tape.Nodes[n];
            if (!Reaches(node))
            {
                continue;
            }

            for (int i = 0; i < node.Inputs.Count; i++)
            {
                Tensor input = node.Inputs[i];
                if (!input.IsNone && node.Op.IsDifferentiable(i) && _values[input.Id].NeedsGradient)
                {
                    _has[input.Id] = true;
                    _zeroFirst[input.Id] |= !CoversWhole(input);
                    Cut(input);
                }
            }
        }

        // Where parts are the whole without a gap, each begins by itself. Only where that is worth another sign of a zero.
        foreach ((int id, LastAxisParts parts) in _parts)
        {
            _zeroFirst[id] &= !(_tape.Backend.OverwritesGradients && parts.AreWhole);
        }
    }

    private void Cut(Tensor input)
    {
        if (!_parts.TryGetValue(input.Id, out LastAxisParts? parts))
        {
            _parts.Add(input.Id, parts = new LastAxisParts(_values[input.Id].Layout));
        }

        parts.Add(input);
    }

    private bool CoversWhole(Tensor tensor)
    {
        // A view that broadcasts counts elements twice, so it never covers by count alone.
        for (int i = 0; i < tensor.Layout.Rank; i++)
        {
            if (tensor.Layout.Stride(i) == 0 && tensor.Layout[i] > 1)
            {
                return false;
            }
        }

        return tensor.Layout.Count == _values[tensor.Id].Layout.Count;
    }
}
