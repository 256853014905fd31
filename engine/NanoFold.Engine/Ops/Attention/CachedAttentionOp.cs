using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>Attention of decoding: appends new keys and values to a cache and attends over it; see <see cref="CachedAttentionCall"/>. No gradient.</summary>
public sealed class CachedAttentionOp(IKernel<CachedAttentionCall> kernel, double scale, Visibility visibility, int topK) : Op
{
    public override string Name => "cached-attention";

    /// <param name="tape">Where to record.</param>
    /// <param name="q">[B, T, H, D].</param>
    /// <param name="k">[B, T, G, D].</param>
    /// <param name="v">[B, T, G, DV].</param>
    /// <param name="cache">Keys [B, capacity, G, D] and values [B, capacity, G, DV].</param>
    /// <param name="positions">Position of each row's first new token, Int32 [B].</param>
    /// <param name="counts">New tokens of each row, Int32 [B].</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="visibility">What a token sees, without documents and blocks.</param>
    /// <param name="topK">Keys kept per row, 0 for all.</param>
    public static Tensor Record(Tape tape, Tensor q, Tensor k, Tensor v, (Tensor Keys, Tensor Values) cache, Tensor positions, Tensor counts, double scale, Visibility visibility, int topK = 0)
    {
        AttentionOp.CheckShapes("cached-attention", q, k, v);
        var op = new CachedAttentionOp(tape.Backend.Require<CachedAttentionCall>(), scale, visibility, topK);
        return tape.Record(op, [q, k, v, cache.Keys, cache.Values, positions, counts, .. visibility.Inputs], AttentionOp.Output(q, v));
    }

    public override bool IsDifferentiable(int input) => false;

    public override bool HasSideEffects => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new CachedAttentionCall
    {
        Q = call.Input(0),
        K = call.Input(1),
        V = call.Input(2),
        Y = call.Output(0),
        KeyCache = call.Input(3),
        ValueCache = call.Input(4),
        Positions = call.Input(5),
        Counts = call.Input(6),
        Scale = scale,
        Visible = visibility.At(call, 7),
        TopK = topK,
    });
}
