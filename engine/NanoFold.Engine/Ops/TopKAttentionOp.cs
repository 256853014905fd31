using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Causal attention over the k largest scores of each row; the smallest index wins among equals. All keys are scored (full q kᵀ),
/// the product with v and the backward pass touch those kept. Shapes as in <see cref="AttentionOp"/>. Where the backend lacks the kernel
/// it is composed, with T × T weights.
/// </summary>
public sealed class TopKAttentionOp(IKernel<TopKAttentionCall> kernel, IKernel<TopKAttentionBackwardCall> backwardKernel, double scale) : Op
{
    private const int Documents = 3;

    public override string Name => "top-k-attention";

    public static Tensor Record(Tape tape, Tensor q, Tensor k, Tensor v, double scale, int topK, Tensor documents = default)
    {
        AttentionOp.CheckShapes("top-k-attention", q, k, v);
        if (tape.Backend.Find<TopKAttentionCall>() is not { } kernel)
        {
            return AttentionOp.Weigh(tape, AttentionOp.Pattern(tape, q, k, scale, new CausalMask(), documents, topK), v);
        }

        var op = new TopKAttentionOp(kernel, tape.Backend.Require<TopKAttentionBackwardCall>(), scale);
        return tape.Record(op, [q, k, v, documents],
        [
            (q.Layout, tape.Type),
            (Layout.Of(q[0], q[2], q[1]), tape.Type.Sum()),
            (Layout.Of(q[0], q[2], q[1], Math.Min(topK, q[1])), DType.Int32),
        ])[0];
    }

    public override bool IsDifferentiable(int input) => input != Documents;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new TopKAttentionCall(Args(call), call.Output(2)));

    public override void Backward(Backend backend, OpCall call) => backwardKernel.Run(Gradient(call));

    public override long BackwardScratchBytes(Node node) => backwardKernel.ScratchBytes(Gradient(OpCall.OfShapes(node)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int b, int t, int h, int g, int d, int k) in new[] { (1, 9, 2, 1, 4, 3), (2, 33, 2, 2, 6, 5), (1, 5, 1, 1, 2, 9) })
        {
            yield return new OpCase($"top-{k} attention [{b}, {t}, {h}/{g}, {d}]", [OpInput.Real(b, t, h, d), OpInput.Real(b, t, g, d), OpInput.Real(b, t, g, d)],
                (tape, x) => Record(tape, x[0], x[1], x[2], 1 / Math.Sqrt(d), k),
                a => AttentionOp.Reference(a, b, t, h, g, d, (_, _, _) => true, k))
            { Tolerance = 5e-6 };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int t, int h, int d, int k) = (s.Batch, s.Time, s.Heads, s.HeadDim, s.Time / 8);

        // Queries and keys of a coarse grid and a power of two, so that scores are exact: rounding must not choose among keys that are nearly equal.
        const double Scale = 0.125;
        OpInput grid = OpInput.Real(b, t, h, d) with { Step = 0.125 };
        yield return new OpCase($"top-k-attention {s.Name} {k} of {t} [{b}, {t}, {h}, {d}]", [grid, grid, OpInput.Real(b, t, h, d)],
            (tape, x) => Record(tape, x[0], x[1], x[2], Scale, k), a => AttentionOp.Reference(a, b, t, h, h, d, (_, _, _) => true, k, Scale))
        { Tolerance = 5e-6 };
    }

    private TopKAttentionBackwardCall Gradient(OpCall call) => new(Args(call), call.Output(2), AttentionOp.Gradients(call));

    private AttentionArgs Args(OpCall call) => new()
    {
        Q = call.Input(0),
        K = call.Input(1),
        V = call.Input(2),
        Y = call.Output(0),
        LogSumExp = call.Output(1),
        Scale = scale,
        Visible = new CausalMask().With(call.Input(Documents)),
    };
}
