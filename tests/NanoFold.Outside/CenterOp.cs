using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace Outside;

/// <summary>y = x − mean(x) over the last dimension. dx = dy − mean(dy). Composed of a sum and a difference where the backend lacks the kernel.</summary>
public sealed class CenterOp(IKernel<CenterCall>? kernel) : Op
{
    public override string Name => "center";

    public static Tensor Record(Tape tape, Tensor x) => tape.Record(new CenterOp(tape.Backend.Find<CenterCall>()), [x], x.Layout);

    public override bool BackwardReadsInput(int input) => false;

    public override void Forward(Backend backend, OpCall call) => Run(backend, call.Input(0), call.Output(0), accumulate: false, call.Scratch);

    public override void Backward(Backend backend, OpCall call)
        => Run(backend, call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0), call.Scratch);

    public override long ForwardScratchBytes(Node node) => ScratchBytes(node.Inputs[0]);

    public override long BackwardScratchBytes(Node node) => ScratchBytes(node.Inputs[0]);

    private long ScratchBytes(Tensor x) => kernel is null ? Reduction.ScratchBytes(x.Type, x.Layout.Rows) + (x.Layout.Rows * x.Type.Size()) : 0;

    private void Run(Backend backend, in View x, in View y, bool accumulate, in View scratch)
    {
        if (kernel is not null)
        {
            kernel.Run(new CenterCall(x, y, accumulate));
            return;
        }

        int[] shape = x.Layout.ToShape();
        shape[^1] = 1;
        View sums = scratch.As(x.Type, Layout.Of(shape), Reduction.ScratchBytes(x.Type, x.Layout.Rows) / x.Type.Size());
        Reduction.Sum(backend, x, sums, accumulate: false, scratch);
        backend.Zip(new MinusShare(1.0 / x.Layout[-1]), x, sums, y, accumulate);
    }

    private readonly struct MinusShare(double share) : IBinaryOp
    {
        public V Invoke<V>(V x, V sum)
            where V : struct, ILane<V>
            => x - (sum * V.Constant(share));
    }
}
