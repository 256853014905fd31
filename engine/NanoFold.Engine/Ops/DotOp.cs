using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>loss [1] = Σ x ⊙ w for a constant w of the same shape: turns any output into a scalar for gradient checks. dx = dLoss · w.</summary>
public sealed class DotOp : Op
{
    public override string Name => "dot";

    public static Tensor Record(Tape tape, Tensor x, Tensor weights) => x.Layout.SameShape(weights.Layout)
        ? tape.Record(new DotOp(), [x, weights], [(Layout.Of(1), x.Type)])[0]
        : throw new ArgumentException($"dot: {x} and {weights}; expected one shape");

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input == 1;

    public override void Forward(Backend backend, OpCall call)
    {
        ref readonly View x = ref call.Input(0);
        View products = call.Scratch.As(x.Type, x.Layout.Contiguous(), Reduction.ScratchBytes(x.Type, 1) / x.Type.Size());
        backend.Zip(default(Product), x, call.Input(1), products);
        Reduction.Sum(backend, products.With(Layout.Of(checked((int)products.Count))), call.Output(0), false, call.Scratch);
    }

    public override void Backward(Backend backend, OpCall call) => backend.Zip(
        default(Product), call.Input(1), call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0));

    public override long ForwardScratchBytes(Node node) => Reduction.ScratchBytes(node.Inputs[0].Type, 1) + node.Inputs[0].Layout.Count * node.Inputs[0].Type.Size();

    internal readonly struct Product : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a * b;
    }
}
