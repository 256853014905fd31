using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>A node's operands, resolved to memory once when its plan is bound.</summary>
public sealed class OpCall
{
    private readonly Tape? _tape;
    private readonly View[] _inputs;
    private readonly View[] _outputs;
    private readonly View[] _inputGradients;
    private readonly View[] _outputGradients;
    private readonly bool[] _accumulate;

    internal OpCall(Tape? tape, Node node, View[] inputs, View[] outputs, View[] inputGradients, View[] outputGradients, bool[] accumulate, View scratch)
    {
        _tape = tape;
        Node = node;
        _inputs = inputs;
        _outputs = outputs;
        _inputGradients = inputGradients;
        _outputGradients = outputGradients;
        _accumulate = accumulate;
        Scratch = scratch;
    }

    /// <summary>Layouts and types without memory, for questions such as how much scratch a kernel needs. Every gradient that can be wanted is there.</summary>
    public static OpCall OfShapes(Node node)
    {
        View[] inputs = [.. node.Inputs.Select(Shape)], outputs = [.. node.Outputs.Select(Shape)];
        View[] gradients = [.. inputs.Select((input, i) => node.Op.IsDifferentiable(i) ? input : default)];
        return new OpCall(null, node, inputs, outputs, gradients, outputs, new bool[inputs.Length], scratch: default);
    }

    public Node Node { get; }

    /// <summary>The recording's, for calls that read or write slots; null where there are shapes only.</summary>
    public StepState State => _tape?.State!;

    /// <summary>How far products may round their operands.</summary>
    public OperandRounding Rounding => _tape?.Arithmetic.Rounding ?? OperandRounding.None;

    /// <summary>Scratch as asked for, none where no bytes were.</summary>
    public View Scratch { get; }

    /// <summary>Parts of the backward call that do not need each other, for <see cref="Backend.RunTogether"/>: made once, where the op keeps them.</summary>
    internal Action[]? Branches { get; set; }

    public ref readonly View Input(int index) => ref _inputs[index];

    /// <summary>The inputs from one on, for kernels of any number of them.</summary>
    public ReadOnlyMemory<View> Inputs(int start) => _inputs.AsMemory(start);

    /// <summary>Where the gradients of the inputs from one on go; none where one is not wanted.</summary>
    public ReadOnlyMemory<View> InputGradients(int start) => _inputGradients.AsMemory(start);

    /// <summary>Whether to add to the gradients of the inputs from one on.</summary>
    public ReadOnlyMemory<bool> AccumulatesFrom(int start) => _accumulate.AsMemory(start);

    public ref readonly View Output(int index) => ref _outputs[index];

    /// <summary>Where the gradient of an input goes; none where it is not wanted.</summary>
    public ref readonly View InputGradient(int index) => ref _inputGradients[index];

    /// <summary>Whether to add to that gradient rather than overwrite it.</summary>
    public bool Accumulates(int index) => _accumulate[index];

    /// <summary>For kernels that always add to a gradient: makes a gradient that is to be overwritten start at 0.</summary>
    public void ZeroUnlessAccumulating(Backend backend, int index)
    {
        if (!_inputGradients[index].IsNone && !_accumulate[index])
        {
            backend.Fill(_inputGradients[index], 0);
        }
    }

    /// <summary>Gives an input, where that is wanted, the gradient of output 0 as it is; where both are one memory there is nothing to do. See <see cref="Op.PassesGradient"/>.</summary>
    public void PassGradient(Backend backend, int input)
    {
        ref readonly View from = ref _outputGradients[0], to = ref _inputGradients[input];
        if (!to.IsNone && !(ReferenceEquals(to.Buffer, from.Buffer) && to.Offset == from.Offset))
        {
            backend.Copy(from, to, _accumulate[input]);
        }
    }

    /// <summary>Gradient of an output; none where nothing flows back.</summary>
    public ref readonly View OutputGradient(int index) => ref _outputGradients[index];

    private static View Shape(Tensor tensor) => tensor.IsNone ? default : View.OfShape(tensor.Layout, tensor.Type);
}
