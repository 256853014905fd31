using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.RecurrentHeads;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Heads with a matrix as state, S ← exp(decay) ⊙ S, u = v or beta (v − Sᵀ k), S ← S + k uᵀ, y = scale · Sᵀ q: see <see cref="RecurrentHeadsCall"/>. q, k
/// [B, T, G, DK], v, y [B, T, H, DV]; decay none, [H], [B, T, H] or [B, T, H, DK]; beta [B, T, H] or none; continues [B, T] or none. Linear in T.
/// </summary>
public sealed class RecurrentHeadsOp(IKernel<RecurrentHeadsCall> kernel, IKernel<RecurrentHeadsBackwardCall>? backward, double scale, bool isConstant, bool givesState) : Op
{
    private const int Q = 0, K = 1, V = 2, Decay = 3, Beta = 4, Continues = 5, Initial = 6, Counts = 7;

    public override string Name => "recurrent-heads";

    /// <summary>Decoding replaces its state.</summary>
    public override bool HasSideEffects => backward is null;

    /// <param name="tape">Where to record.</param>
    /// <param name="q">[B, T, G, DK].</param>
    /// <param name="k">[B, T, G, DK].</param>
    /// <param name="v">[B, T, H, DV], H a multiple of G.</param>
    /// <param name="decay">Logarithms of the factors of the state, none above 0: none, [H] (no gradient flows to it), [B, T, H] or [B, T, H, DK].</param>
    /// <param name="beta">[B, T, H] for the delta rule, or none.</param>
    /// <param name="continues">[B, T], 0 where a row or document begins; or none.</param>
    /// <param name="scale">Factor on y.</param>
    /// <param name="initial">State before the first place, [B, H, DK, DV], or none for 0.</param>
    /// <returns>y [B, T, H, DV].</returns>
    public static Tensor Record(Tape tape, Tensor q, Tensor k, Tensor v, Tensor decay, Tensor beta, Tensor continues, double scale, Tensor initial = default) =>
        Record(tape, [q, k, v, decay, beta, continues, initial, default], scale, givesState: false)[0];

    /// <summary>As <see cref="Record(Tape, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, double, Tensor)"/>.</summary>
    /// <returns>y, and the state after the last place [B, H, DK, DV] in the type of sums.</returns>
    public static (Tensor Y, Tensor State) RecordWithState(
        Tape tape, Tensor q, Tensor k, Tensor v, Tensor decay, Tensor beta, Tensor continues, double scale, Tensor initial = default)
    {
        Tensor[] outputs = Record(tape, [q, k, v, decay, beta, continues, initial, default], scale, givesState: true);
        return (outputs[0], outputs[1]);
    }

    /// <summary>
    /// Goes on from <paramref name="state"/> [B, H, DK, DV], of the type of sums, by <paramref name="counts"/>[b] places of each row and leaves the state after them
    /// there; no gradient.
    /// </summary>
    public static Tensor Decode(Tape tape, Tensor q, Tensor k, Tensor v, Tensor decay, Tensor beta, Tensor state, Tensor counts, Tensor continues, double scale)
    {
        Layout output = Output(q, k, v);
        var op = new RecurrentHeadsOp(tape.Backend.Require<RecurrentHeadsCall>(), null, scale, IsConstant(decay), givesState: false);
        return tape.Record(op, [q, k, v, decay, beta, continues, state, counts], output);
    }

    public override bool IsDifferentiable(int input) => backward is not null && (input is Q or K or V or Beta or Initial || (input == Decay && !isConstant));

    public override bool BackwardReadsInput(int input) => input != Counts;

    public override bool BackwardReadsOutput(int output) => output > 0;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(Values(call));

    public override void Backward(Backend backend, OpCall call) => backward!.Run(Gradients(call));

    public override long ForwardScratchBytes(Node node) => kernel.ScratchBytes(Values(OpCall.OfShapes(node)));

    public override long BackwardScratchBytes(Node node) => backward!.ScratchBytes(Gradients(OpCall.OfShapes(node)));

    private static Tensor[] Record(Tape tape, Tensor[] inputs, double scale, bool givesState)
    {
        (Tensor q, Tensor k, Tensor v) = (inputs[Q], inputs[K], inputs[V]);
        Layout output = Output(q, k, v);
        var op = new RecurrentHeadsOp(
            tape.Backend.Require<RecurrentHeadsCall>(), tape.Backend.Require<RecurrentHeadsBackwardCall>(), scale, IsConstant(inputs[Decay]), givesState);
        (Layout, DType)[] state = givesState ? [(Layout.Of(v[0], v[2], k[3], v[3]), tape.Type.Sum())] : [];
        return tape.Record(op, inputs, [(output, tape.Type), .. state, .. op.KeptOutput(tape, inputs)]);
    }

    private static bool IsConstant(Tensor decay) => !decay.IsNone && decay.Layout.Rank == 1;

    // As many floats as the kernel has bytes to keep, a row of each batch row.
    private (Layout, DType)[] KeptOutput(Tape tape, Tensor[] inputs)
    {
        if (!tape.KeepsForGradient)
        {
            return [];
        }

        View Shape(int input) => inputs[input].IsNone ? default : View.OfShape(inputs[input].Layout, inputs[input].Type);
        var args = new RecurrentHeadsArgs
        {
            Q = Shape(Q), K = Shape(K), V = Shape(V), Decay = Shape(Decay), Beta = Shape(Beta), Continues = Shape(Continues), Initial = Shape(Initial), Scale = scale,
        };
        int batch = inputs[Q][0];
        long elements = (kernel.KeptBytes(new RecurrentHeadsCall { Args = args, Y = Shape(V) }) + sizeof(float) - 1) / sizeof(float);
        return [(Layout.Of(batch, Math.Max(1, checked((int)((elements + batch - 1) / batch)))), DType.Float32)];
    }

    private RecurrentHeadsCall Values(OpCall call) => new()
    {
        Args = Args(call),
        Y = call.Output(0),
        Counts = call.Input(Counts),
        Final = backward is null ? call.Input(Initial) : State(call),
        Kept = Kept(call),
        Scratch = call.Scratch,
    };

    private RecurrentHeadsBackwardCall Gradients(OpCall call) => new()
    {
        Args = Args(call),
        Kept = Kept(call),
        DY = call.OutputGradient(0),
        Final = State(call),
        DFinal = givesState ? call.OutputGradient(1) : default,
        DQ = call.InputGradient(Q),
        AccumulateQ = call.Accumulates(Q),
        DK = call.InputGradient(K),
        AccumulateK = call.Accumulates(K),
        DV = call.InputGradient(V),
        AccumulateV = call.Accumulates(V),
        DDecay = call.InputGradient(Decay),
        AccumulateDecay = call.Accumulates(Decay),
        DBeta = call.InputGradient(Beta),
        AccumulateBeta = call.Accumulates(Beta),
        DInitial = call.InputGradient(Initial),
        AccumulateInitial = call.Accumulates(Initial),
        Scratch = call.Scratch,
    };

    private RecurrentHeadsArgs Args(OpCall call) => new()
    {
        Q = call.Input(Q),
        K = call.Input(K),
        V = call.Input(V),
        Decay = call.Input(Decay),
        Beta = call.Input(Beta),
        Continues = call.Input(Continues),
        Initial = call.Input(Initial),
        Scale = scale,
    };

    private View State(OpCall call) => givesState ? call.Output(1) : default;

    // Kept for the backward pass only.
    private View Kept(OpCall call)
    {
        int outputs = givesState ? 2 : 1;
        return call.Node.Outputs.Count > outputs ? call.Output(outputs) : default;
    }

    private static Layout Output(Tensor q, Tensor k, Tensor v)
    {
        bool fits = q.Layout.Rank == 4 && v.Layout.Rank == 4 && k.Layout.SameShape(q.Layout) && v[0] == q[0] && v[1] == q[1] && v[2] % q[2] == 0;
        return fits ? v.Layout.Contiguous() : throw new ArgumentException($"recurrent-heads: q {q}, k {k} and v {v}; expected [B, T, G, DK] twice and [B, T, H, DV], H a multiple of G");
    }
}
