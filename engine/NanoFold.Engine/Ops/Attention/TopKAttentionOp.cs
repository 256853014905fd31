using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Attention over the k largest scores of the keys that a row sees; the smallest index wins among equals. All that it sees are scored,
/// the product with v and the backward pass touch those kept. Shapes as in <see cref="AttentionOp"/>. Where the backend lacks the kernel
/// it is composed, with T × T weights.
/// </summary>
public sealed class TopKAttentionOp(IKernel<TopKAttentionCall> kernel, IKernel<TopKAttentionBackwardCall> backwardKernel, double scale, Visibility visibility) : Op
{
    private const int Seen = 3;

    public override string Name => "top-k-attention";

    public static Tensor Record(Tape tape, Tensor q, Tensor k, Tensor v, double scale, int topK, Visibility visibility)
    {
        AttentionOp.CheckShapes("top-k-attention", q, k, v);
        if (tape.Backend.Find<TopKAttentionCall>() is not { } kernel)
        {
            return AttentionOp.Weigh(tape, AttentionOp.Pattern(tape, q, k, scale, visibility, topK: topK), v);
        }

        var op = new TopKAttentionOp(kernel, tape.Backend.Require<TopKAttentionBackwardCall>(), scale, visibility);
        return tape.Record(op, [q, k, v, .. visibility.Inputs],
        [
            (AttentionOp.Output(q, v), tape.Type),
            (Layout.Of(q[0], q[2], q[1]), tape.Type.Sum()),
            (Layout.Of(q[0], q[2], q[1], Math.Min(topK, q[1])), DType.Int32),
        ])[0];
    }

    public override bool IsDifferentiable(int input) => input < Seen;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new TopKAttentionCall(Args(call), call.Output(2)));

    public override void Backward(Backend backend, OpCall call) => backwardKernel.Run(Gradient(call));

    public override long BackwardScratchBytes(Node node) => backwardKernel.ScratchBytes(Gradient(OpCall.OfShapes(node)));

    private TopKAttentionBackwardCall Gradient(OpCall call) => new(Args(call), call.Output(2), AttentionOp.Gradients(call));

    private AttentionArgs Args(OpCall call) => new()
    {
        Q = call.Input(0),
        K = call.Input(1),
        V = call.Input(2),
        Y = call.Output(0),
        LogSumExp = call.Output(1),
        Scale = scale,
        Visible = visibility.At(call, Seen),
    };
}
