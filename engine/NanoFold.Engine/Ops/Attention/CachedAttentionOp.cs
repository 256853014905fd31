using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>Attention of decoding: appends new keys and values to a cache and attends over it; see <see cref="CachedAttentionCall"/>. No gradient.</summary>
public sealed class CachedAttentionOp(IKernel<CachedAttentionCall> kernel, double scale, double cap, Visibility visibility) : Op
{
    private const int Seen = 7, Decay = Seen + Visibility.InputCount;

    public override string Name => "cached-attention";

    /// <param name="tape">Where to record.</param>
    /// <param name="q">[B, T, H, D].</param>
    /// <param name="k">[B, T, G, D].</param>
    /// <param name="v">[B, T, GV, DV].</param>
    /// <param name="cache">What there is of the tokens before.</param>
    /// <param name="positions">Position of each row's first new token, Int32 [B].</param>
    /// <param name="counts">New tokens of each row, Int32 [B].</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="visibility">What a token sees, without documents and blocks.</param>
    /// <param name="terms">What scores get besides.</param>
    public static Tensor Record(
        Tape tape, Tensor q, Tensor k, Tensor v, AttentionCache cache, Tensor positions, Tensor counts, double scale, Visibility visibility, ScoreTerms terms = default)
    {
        AttentionOp.CheckShapes("cached-attention", q, k, v);
        return Record(tape, q, k, v, v[3], cache, positions, counts, scale, visibility, terms);
    }

    /// <summary>As above, with values that are the first elements of keys: [B, T, H, <paramref name="valueDim"/>].</summary>
    public static Tensor RecordInKeys(Tape tape, Tensor q, Tensor k, int valueDim, Tensor keys, Tensor positions, Tensor counts, double scale, Visibility visibility, ScoreTerms terms = default)
    {
        AttentionOp.CheckShapes("cached-attention", q, k, k);
        return Record(tape, q, k, default, valueDim, new AttentionCache(keys, default), positions, counts, scale, visibility, terms);
    }

    public override bool IsDifferentiable(int input) => false;

    public override bool HasSideEffects => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(Call(call));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => kernel.Prepare(Call(call));

    private CachedAttentionCall Call(OpCall call) => new()
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
        Cap = cap,
        Visible = visibility.At(call, Seen),
        Decay = call.Input(Decay),
        DecayCache = call.Input(Decay + 1),
        SinkLogits = call.Input(Decay + 2),
    };

    private static Tensor Record(
        Tape tape, Tensor q, Tensor k, Tensor v, int valueDim, AttentionCache cache, Tensor positions, Tensor counts, double scale, Visibility visibility, ScoreTerms terms)
    {
        terms.Check("cached-attention", q);
        var op = new CachedAttentionOp(tape.Backend.Require<CachedAttentionCall>(), scale, terms.Cap, visibility);
        return tape.Record(
            op, [q, k, v, cache.Keys, cache.Values, positions, counts, .. visibility.Inputs, terms.Decay, cache.Decay, terms.SinkLogits], Layout.Of(q[0], q[1], q[2], valueDim));
    }
}

/// <summary>What decoding attends over; new tokens are added to it.</summary>
/// <param name="Keys">[B, capacity, G, D].</param>
/// <param name="Values">[B, capacity, GV, DV], or none where they are part of the keys.</param>
/// <param name="Decay">Running sums of log decays, [B, H, capacity], where scores decay.</param>
public readonly record struct AttentionCache(Tensor Keys, Tensor Values, Tensor Decay = default);
