using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Attention y = softmax(scale · q kᵀ + terms) v over the keys that are visible, with grouped heads. q [B, T, H, D], k [B, T, G, D], v [B, T, GV, DV],
/// y [B, T, H, DV]; query head h reads key head h / (H / G) and value head h / (H / GV); where a query sees no key y is 0. The fused kernel never holds T × T values; where the backend lacks it, the op is composed of products and a softmax.
/// </summary>
public sealed class AttentionOp(IKernel<AttentionCall> kernel, IKernel<AttentionBackwardCall> backwardKernel, double scale, double cap, Visibility visibility, TurnedBack? turnedBack = null) : Op
{
    private const int Q = 0, K = 1, V = 2, Seen = 3, Decay = Seen + Visibility.InputCount, SinkLogits = Decay + 1, Rotary = SinkLogits + 1;

    public override string Name => "attention";

    /// <param name="tape">Where to record.</param>
    /// <param name="q">[B, T, H, D].</param>
    /// <param name="k">[B, T, G, D].</param>
    /// <param name="v">[B, T, GV, DV].</param>
    /// <param name="scale">Of scores.</param>
    /// <param name="visibility">What a query sees.</param>
    /// <param name="terms">What scores get besides.</param>
    /// <param name="rotary">Where q and k are of a <see cref="RotaryLinearOp"/> and read by nothing else: their gradients are those before its turn. For backends that have the fused kernel.</param>
    public static Tensor Record(Tape tape, Tensor q, Tensor k, Tensor v, double scale, Visibility visibility, ScoreTerms terms = default, RotaryPositions? rotary = null)
    {
        CheckShapes("attention", q, k, v);
        terms.Check("attention", q);
        if (tape.Backend.Find<AttentionCall>() is not { } kernel)
        {
            return rotary is null
                ? Weigh(tape, Pattern(tape, q, k, scale, visibility, terms: terms), v)
                : throw new NotSupportedException($"attention: {tape.Backend.Name} has no kernel that turns gradients back");
        }

        Layout logSumExp = Layout.Of(q[0], q[2], q[1]);
        TurnedBack? turnedBack = rotary is { } turned ? new TurnedBack(tape.Backend, Rotary, turned.Interleaved) : null;
        var op = new AttentionOp(kernel, tape.Backend.Require<AttentionBackwardCall>(), scale, terms.Cap, visibility, turnedBack);
        return tape.Record(
            op, [q, k, v, .. visibility.Inputs, terms.Decay, terms.SinkLogits, rotary?.Table ?? default, rotary?.Positions ?? default],
            [(Output(q, v), tape.Type), (logSumExp, tape.Type.Sum())])[0];
    }

    /// <summary>The products that weights are made of, scale · q kᵀ [B, H, T, T], levelled off where there is a cap, −∞ where a query does not see a key: for readers and editors.</summary>
    public static Tensor Scores(Tape tape, Tensor q, Tensor k, double scale, Visibility visibility, double cap = 0)
    {
        Tensor queries = BroadcastOp.Contiguous(tape, q.Permute(0, 2, 1, 3));
        Tensor products = MatMulOp.Record(tape, queries, PerQueryHead(tape, k, q[2]), transposeB: true);
        Tensor scores = cap > 0 ? Capped(tape, products, scale, cap) : ScaleOp.Record(tape, products, scale);
        // Of equal scores all that are seen have a weight, whatever the scores are.
        Tensor equal = ScaleOp.Record(tape, DetachOp.Record(tape, scores), 0), never = ScaleOp.Record(tape, SoftmaxOp.Record(tape, equal), double.NegativeInfinity);
        return ChooseOp.Record(tape, SoftmaxOp.Record(tape, equal, 1, visibility), scores, never);
    }

    /// <summary>The weights themselves, [B, H, T, T], over listed keys only where lists are given: for readers and composed paths.</summary>
    public static Tensor Pattern(Tape tape, Tensor q, Tensor k, double scale, Visibility visibility, KeyList kept = default, ScoreTerms terms = default)
    {
        Tensor queries = BroadcastOp.Contiguous(tape, q.Permute(0, 2, 1, 3));
        Tensor scores = MatMulOp.Record(tape, queries, PerQueryHead(tape, k, q[2]), transposeB: true);
        if (terms.Cap > 0)
        {
            (scores, scale, terms) = (Capped(tape, scores, scale, terms.Cap), 1, terms with { Cap = 0 });
        }

        Tensor pattern = terms.IsNone ? SoftmaxOp.Record(tape, scores, scale, visibility) : ScoreSoftmaxOp.Record(tape, scores, scale, visibility, terms);
        return kept.IsNone ? pattern : KeepListedOp.Record(tape, pattern, kept);
    }

    public override bool IsDifferentiable(int input) => input is < Seen or Decay or SinkLogits;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new AttentionCall(Args(call)));

    public override void Backward(Backend backend, OpCall call)
    {
        var backward = new AttentionBackwardCall(Args(call), OwnGradients(call));
        if (turnedBack is null)
        {
            backwardKernel.Run(backward);
        }
        else
        {
            turnedBack.Run(backwardKernel, backward, call);
        }
    }

    public override long BackwardScratchBytes(Node node)
    {
        OpCall shapes = OpCall.OfShapes(node);
        var backward = new AttentionBackwardCall(Args(shapes), Gradients(shapes));
        return Math.Max(backwardKernel.ScratchBytes(backward), turnedBack?.ScratchBytes(backward, shapes) ?? 0);
    }

    internal static AttentionGradients Gradients(OpCall call) => new()
    {
        DY = call.OutputGradient(0),
        DQ = call.InputGradient(Q),
        DK = call.InputGradient(K),
        DV = call.InputGradient(V),
        AccumulateQ = call.Accumulates(Q),
        AccumulateK = call.Accumulates(K),
        AccumulateV = call.Accumulates(V),
        Scratch = call.Scratch,
    };

    internal static void CheckShapes(string name, Tensor q, Tensor k, Tensor v)
    {
        bool fits = q.Layout.Rank == 4 && k.Layout.Rank == 4 && v.Layout.Rank == 4 && k[0] == v[0] && k[1] == v[1] && k[2] % v[2] == 0
            && q[0] == k[0] && q[1] == k[1] && q[3] == k[3] && q[2] % k[2] == 0;
        if (!fits)
        {
            throw new ArgumentException($"{name}: q {q}, k {k}, v {v}; expected [B, T, H, D], [B, T, G, D] and [B, T, GV, DV] with H a multiple of G and that of GV");
        }
    }

    /// <summary>[B, T, H, DV].</summary>
    internal static Layout Output(Tensor q, Tensor v) => Layout.Of(q[0], q[1], q[2], v[3]);

    private AttentionArgs Args(OpCall call) => new()
    {
        Q = call.Input(Q),
        K = call.Input(K),
        V = call.Input(V),
        Y = call.Output(0),
        LogSumExp = call.Output(1),
        Scale = scale,
        Visible = visibility.At(call, Seen),
        Decay = call.Input(Decay),
        SinkLogits = call.Input(SinkLogits),
        Cap = cap,
    };

    private static AttentionGradients OwnGradients(OpCall call) => Gradients(call) with
    {
        DDecay = call.InputGradient(Decay),
        AccumulateDecay = call.Accumulates(Decay),
        DSinkLogits = call.InputGradient(SinkLogits),
        AccumulateSinkLogits = call.Accumulates(SinkLogits),
    };

    // c · tanh(scale · x / c).
    private static Tensor Capped(Tape tape, Tensor products, double scale, double cap) =>
        ScaleOp.Record(tape, ActivationOp<Tanh>.Record(tape, ScaleOp.Record(tape, products, scale / cap)), cap);

    /// <summary>pattern · v, [B, H, T, T] and [B, T, GV, DV] to [B, T, H, DV].</summary>
    internal static Tensor Weigh(Tape tape, Tensor pattern, Tensor v)
    {
        Tensor y = MatMulOp.Record(tape, pattern, PerQueryHead(tape, v, pattern[1]));
        return BroadcastOp.Contiguous(tape, y.Permute(0, 2, 1, 3));
    }

    // [B, T, G, D] copied to [B, H, T, D], each key head repeated for its query heads.
    private static Tensor PerQueryHead(Tape tape, Tensor x, int heads)
    {
        Tensor grouped = x.SplitLast(1).Permute(0, 2, 3, 1, 4);
        return BroadcastOp.Record(tape, grouped, x[0], x[2], heads / x[2], x[1], x[3]).Reshape(x[0], heads, x[1], x[3]);
    }
}
