using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Attention over the keys that lists name, y = softmax(scale · q kᵀ) v over those. Shapes as in <see cref="AttentionOp"/>. Scores, weights and gradients are
/// made for listed keys only. Where the backend lacks the kernel it is composed, with T × T weights.
/// </summary>
public sealed class KeyListAttentionOp(
    IKernel<KeyListAttentionCall> kernel, IKernel<KeyListAttentionBackwardCall> backwardKernel, double scale, int keySize, Visibility visibility) : Op
{
    private const int Lists = 3, Positions = 4, Counts = 5, Seen = 6;

    public override string Name => "key-list-attention";

    /// <param name="tape">Where to record.</param>
    /// <param name="q">[B, T, H, D].</param>
    /// <param name="k">[B, S, G, D].</param>
    /// <param name="v">[B, S, G, DV].</param>
    /// <param name="kept">Keys that queries see, of each head or shared by several.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="visibility">What the keys were chosen among.</param>
    /// <param name="positions">Decoding: position of each row's first query, where k and v are caches; otherwise none.</param>
    /// <param name="counts">Decoding: queries of each row.</param>
    public static Tensor Record(
        Tape tape, Tensor q, Tensor k, Tensor v, KeyList kept, double scale, Visibility visibility, Tensor positions = default, Tensor counts = default)
    {
        if (positions.IsNone)
        {
            AttentionOp.CheckShapes("key-list-attention", q, k, v);
        }

        // Decoding has no composed path.
        IKernel<KeyListAttentionCall>? kernel = positions.IsNone ? tape.Backend.Find<KeyListAttentionCall>() : tape.Backend.Require<KeyListAttentionCall>();
        if (kernel is null)
        {
            return AttentionOp.Weigh(tape, AttentionOp.Pattern(tape, q, k, scale, visibility, kept), v);
        }

        var op = new KeyListAttentionOp(kernel, tape.Backend.Require<KeyListAttentionBackwardCall>(), scale, kept.KeySize, visibility);
        return tape.Record(
            op, [q, k, v, kept.Lists, positions, counts, .. visibility.Inputs], [(AttentionOp.Output(q, v), tape.Type), (Layout.Of(q[0], q[2], q[1]), tape.Type.Sum())])[0];
    }

    /// <summary>Attention over the largest scores of each head and row.</summary>
    public static Tensor OfLargest(Tape tape, Tensor q, Tensor k, Tensor v, double scale, KeyBudget budget, Visibility visibility)
        => Record(tape, q, k, v, SelectKeysOp.Record(tape, q, k, default, scale, budget, visibility), scale, visibility);

    public override bool IsDifferentiable(int input) => input < Lists;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new KeyListAttentionCall(Args(call), Kept(call)));

    public override void Backward(Backend backend, OpCall call) => backwardKernel.Run(Gradient(call));

    public override long BackwardScratchBytes(Node node) => node.Inputs[Positions].IsNone ? backwardKernel.ScratchBytes(Gradient(OpCall.OfShapes(node))) : 0;

    private KeyListAttentionBackwardCall Gradient(OpCall call) => new(Args(call), Kept(call), AttentionOp.Gradients(call));

    private KeptKeys Kept(OpCall call) => new(call.Input(Lists), keySize, call.Input(Positions), call.Input(Counts));

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
