using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>
/// RWKV-4's weighted mean of each channel over time, y_t = (N + e^(u + k_t) v_t) / (D + e^(u + k_t)), N ← w N + e^(k_t) v_t, D ← w D + e^(k_t), w = e^(−e^decay): see
/// <see cref="WkvCall"/>. k, v, y [B, T, C], decay and bonus u [C], continues [B, T] or none. Beside its inputs it keeps a state for every 64 places.
/// </summary>
public sealed class WkvOp(IKernel<WkvCall> kernel, IKernel<WkvBackwardCall>? backward) : Op
{
    private const int K = 0, V = 1, Decay = 2, Bonus = 3, Continues = 4, State = 5, Counts = 6;

    public override string Name => "wkv";

    /// <summary>Decoding replaces its state.</summary>
    public override bool HasSideEffects => backward is null;

    public static Tensor Record(Tape tape, Tensor k, Tensor v, Tensor decay, Tensor bonus, Tensor continues = default)
    {
        Check(k, v, decay, bonus);
        var op = new WkvOp(tape.Backend.Require<WkvCall>(), tape.Backend.Require<WkvBackwardCall>());
        (Layout, DType) y = (k.Layout.Contiguous(), tape.Type), kept = (Layout.Of(k[0], WkvCall.Chunks(k[1]), WkvCall.Numbers, k[2]), tape.Type.Sum());
        return tape.Record(op, [k, v, decay, bonus, continues, default, default], tape.KeepsForGradient ? [y, kept] : [y])[0];
    }

    /// <summary>
    /// Goes on from <paramref name="state"/> [B, 3, C], of the type of sums, by <paramref name="counts"/>[b] places of each row and leaves the state after them there;
    /// no gradient. What a state of zeros holds does not count where <paramref name="continues"/> says that a row begins.
    /// </summary>
    public static Tensor Decode(Tape tape, Tensor k, Tensor v, Tensor decay, Tensor bonus, Tensor state, Tensor counts, Tensor continues)
    {
        Check(k, v, decay, bonus);
        return tape.Record(new WkvOp(tape.Backend.Require<WkvCall>(), null), [k, v, decay, bonus, continues, state, counts], k.Layout.Contiguous());
    }

    public override bool IsDifferentiable(int input) => backward is not null && input is K or V or Decay or Bonus;

    public override bool BackwardReadsInput(int input) => input is not (State or Counts);

    public override bool BackwardReadsOutput(int output) => output == 1;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new WkvCall
    {
        K = call.Input(K),
        V = call.Input(V),
        Decay = call.Input(Decay),
        Bonus = call.Input(Bonus),
        Y = call.Output(0),
        Continues = call.Input(Continues),
        Counts = call.Input(Counts),
        State = call.Input(State),
        Kept = Kept(call),
    });

    public override void Backward(Backend backend, OpCall call)
    {
        WkvBackwardCall gradients = Gradients(call);
        backward!.Run(gradients);
        Add(backend, gradients.DDecay, call, Decay);
        Add(backend, gradients.DBonus, call, Bonus);
    }

    public override long BackwardScratchBytes(Node node)
    {
        OpCall shapes = OpCall.OfShapes(node);
        return (Sums(shapes) * node.Inputs[K].Type.Sum().Size()) + backward!.ScratchBytes(Gradients(shapes));
    }

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int b, int t, int c) in new[] { (1, 1, 1), (2, 7, 5), (1, 70, 19), (1, 5, 70) })
        {
            yield return Case($"wkv [{b}, {t}, {c}]", b, t, c, null, 2);
            yield return Case($"wkv of documents [{b}, {t}, {c}]", b, t, c, [.. Enumerable.Range(0, b * t).Select(i => i % t == 0 || i % 5 == 3 || i == 64 ? 0.0 : 1)], 2);
        }

        // Keys whose exponentials no float holds.
        yield return Case("wkv of large keys [2, 9, 5]", 2, 9, 5, null, 150) with { CheckGradient = false, Takes16Bits = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) => [Case($"wkv {s.Name} [{s.Batch}, {s.Time}, {s.Width}]", s.Batch, s.Time, s.Width, null, 2)];

    private static OpCase Case(string name, int b, int t, int c, double[]? continues, double size)
    {
        OpInput[] inputs = [new OpInput([b, t, c], -size, size), OpInput.Real(b, t, c), new OpInput([c], -3, 0.5), OpInput.Real(c)];
        return new OpCase(
            name, continues is null ? inputs : [.. inputs, new OpInput([b, t]) { Values = continues }],
            (tape, x) => Record(tape, x[0], x[1], x[2], x[3], continues is null ? default : x[4]), v => Reference(v, b, t, c, continues))
        { Tolerance = 5e-6 };
    }

    private WkvBackwardCall Gradients(OpCall call)
    {
        View k = call.Input(K);
        DType sum = k.Type.Sum();
        Layout rows = Layout.Of(k.Layout[0], k.Layout[2]);
        // Room to add up in, the sums of each row, then what the kernel wants.
        return new WkvBackwardCall
        {
            K = k,
            V = call.Input(V),
            Decay = call.Input(Decay),
            Bonus = call.Input(Bonus),
            Kept = Kept(call),
            DY = call.OutputGradient(0),
            Continues = call.Input(Continues),
            DK = call.InputGradient(K),
            AccumulateK = call.Accumulates(K),
            DV = call.InputGradient(V),
            AccumulateV = call.Accumulates(V),
            DDecay = Room(call, sum, rows, k.Layout[2]),
            DBonus = Room(call, sum, rows, k.Layout[2] + rows.Count),
            Scratch = Rest(call, sum),
        };
    }

    private static View Room(OpCall call, DType type, in Layout layout, long offset) => call.Scratch.IsNone ? View.OfShape(layout, type) : call.Scratch.As(type, layout, offset);

    private static View Rest(OpCall call, DType sum)
    {
        long rest = call.Scratch.IsNone ? 0 : (call.Scratch.Count * call.Scratch.Type.Size() / sum.Size()) - Sums(call);
        return rest > 0 ? Room(call, sum, Layout.Of(checked((int)rest)), Sums(call)) : default;
    }

    private static long Sums(OpCall call) => call.Input(K).Layout[2] * (1 + (2L * call.Input(K).Layout[0]));

    private static void Add(Backend backend, in View rows, OpCall call, int input)
    {
        View gradient = call.InputGradient(input);
        if (!gradient.IsNone)
        {
            Reduction.Sum(backend, rows, gradient.With(Layout.Of(1, gradient.Layout[0])), call.Accumulates(input), call.Scratch);
        }
    }

    // For the backward pass only.
    private static View Kept(OpCall call) => call.Node.Outputs.Count > 1 ? call.Output(1) : default;

    private static void Check(Tensor k, Tensor v, Tensor decay, Tensor bonus)
    {
        if (k.Layout.Rank != 3 || !v.Layout.SameShape(k.Layout) || !decay.Layout.SameShape(Layout.Of(k[2])) || !bonus.Layout.SameShape(decay.Layout))
        {
            throw new ArgumentException($"wkv: k {k}, v {v}, decay {decay} and bonus {bonus}; expected [B, T, C] twice and [C] twice");
        }
    }

    // Every mean by itself, its weights by their distance.
    private static double[] Reference(double[][] x, int batch, int time, int width, double[]? continues)
    {
        var y = new double[batch * time * width];
        for (int i = 0; i < y.Length; i++)
        {
            int c = i % width, place = i / width, row = place / time * time;
            List<(double Exponent, double Value)> met = [(x[3][c] + x[0][i], x[1][i])];
            for (int s = place - 1; s >= row && (continues?[s + 1] ?? 1) != 0; s--)
            {
                met.Add((x[0][(s * width) + c] - ((place - 1 - s) * Math.Exp(x[2][c])), x[1][(s * width) + c]));
            }

            double most = met.Max(one => one.Exponent);
            y[i] = met.Sum(one => Math.Exp(one.Exponent - most) * one.Value) / met.Sum(one => Math.Exp(one.Exponent - most));
        }

        return y;
    }
}
