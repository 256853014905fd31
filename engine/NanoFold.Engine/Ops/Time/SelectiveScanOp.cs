using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>
/// The selective scan of Mamba, s_t[n] = exp(Δ_t A[n]) c_t s_{t−1}[n] + Δ_t x_t in_t[n], y_t = Σ_n out_t[n] s_t[n] + skip x_t with Δ = softplus(delta) and
/// A = −exp(logDecay): see <see cref="SelectiveScanCall"/>. x, delta, y [B, T, C], logDecay [C, N], in and out [B, T, N], skip [C], continues [B, T] or none.
/// Beside its inputs it keeps a state for every 64 places, no state for each.
/// </summary>
public sealed class SelectiveScanOp(IKernel<SelectiveScanCall> kernel, IKernel<SelectiveScanBackwardCall>? backward) : Op
{
    private const int X = 0, Delta = 1, LogDecay = 2, In = 3, Out = 4, Skip = 5, Continues = 6, State = 7, Counts = 8;

    public override string Name => "selective-scan";

    /// <summary>Decoding replaces its state.</summary>
    public override bool HasSideEffects => backward is null;

    public static Tensor Record(Tape tape, Tensor x, Tensor delta, Tensor logDecay, Tensor input, Tensor output, Tensor skip, Tensor continues = default)
    {
        Check(x, delta, logDecay, input, output);
        var op = new SelectiveScanOp(tape.Backend.Require<SelectiveScanCall>(), tape.Backend.Require<SelectiveScanBackwardCall>());
        Tensor[] inputs = [x, delta, logDecay, input, output, skip, continues, default, default];
        (Layout, DType) y = (x.Layout, tape.Type), kept = (Layout.Of(x[0], SelectiveScanCall.Chunks(x[1]), logDecay[1], x[2]), tape.Type.Sum());
        return tape.Record(op, inputs, tape.KeepsForGradient ? [y, kept] : [y])[0];
    }

    /// <summary>
    /// Goes on from <paramref name="state"/> [B, N, C] by <paramref name="counts"/>[b] places of each row and leaves the state after them there; no gradient.
    /// </summary>
    public static Tensor Decode(
        Tape tape, Tensor x, Tensor delta, Tensor logDecay, Tensor input, Tensor output, Tensor skip, Tensor state, Tensor counts, Tensor continues = default)
    {
        Check(x, delta, logDecay, input, output);
        return tape.Record(
            new SelectiveScanOp(tape.Backend.Require<SelectiveScanCall>(), null), [x, delta, logDecay, input, output, skip, continues, state, counts], x.Layout);
    }

    public override bool IsDifferentiable(int input) => backward is not null && input is not (Continues or State or Counts);

    public override bool BackwardReadsInput(int input) => input is not (State or Counts);

    public override bool BackwardReadsOutput(int output) => output == 1;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new SelectiveScanCall
    {
        X = call.Input(X),
        Delta = call.Input(Delta),
        LogDecay = call.Input(LogDecay),
        In = call.Input(In),
        Out = call.Input(Out),
        Skip = call.Input(Skip),
        Y = call.Output(0),
        Continues = call.Input(Continues),
        Counts = call.Input(Counts),
        State = call.Input(State),
        Kept = Kept(call),
    });

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, LogDecay);
        call.ZeroUnlessAccumulating(backend, Skip);
        backward!.Run(Gradients(call));
    }

    public override long BackwardScratchBytes(Node node) => backward!.ScratchBytes(Gradients(OpCall.OfShapes(node)));

    internal static IEnumerable<OpCase> Cases()
    {
        // Within a chunk and over several, fewer numbers than are walked together and more, parts of a lane.
        foreach ((int b, int t, int c, int n) in new[] { (2, 5, 3, 1), (1, 9, 19, 6), (2, 70, 2, 4), (1, 3, 70, 5) })
        {
            yield return Case($"selective-scan [{b}, {t}, {c}] of {n}", b, t, c, n, null);
            yield return Case($"selective-scan of documents [{b}, {t}, {c}] of {n}", b, t, c, n, [.. Enumerable.Range(0, b * t).Select(i => i % t == 0 || i % 5 == 3 || i == 64 ? 0.0 : 1)]);
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) =>
        [Case($"selective-scan {s.Name} [{s.Batch}, {s.Time}, {2 * s.Width}] of 16", s.Batch, s.Time, 2 * s.Width, 16, null)];

    private static OpCase Case(string name, int b, int t, int c, int n, double[]? continues)
    {
        OpInput[] inputs =
        [
            OpInput.Real(b, t, c), new OpInput([b, t, c], -4, 1), new OpInput([c, n], -1, 2) { IsWeight = true }, OpInput.Real(b, t, n), OpInput.Real(b, t, n), OpInput.Weight(c),
        ];
        return new OpCase(
            name, continues is null ? inputs : [.. inputs, new OpInput([b, t]) { Values = continues }],
            (tape, x) => Record(tape, x[0], x[1], x[2], x[3], x[4], x[5], continues is null ? default : x[6]), v => Reference(v, b, t, c, n, continues))
        { Tolerance = 5e-6 };
    }

    private static SelectiveScanBackwardCall Gradients(OpCall call) => new()
    {
        X = call.Input(X),
        Delta = call.Input(Delta),
        LogDecay = call.Input(LogDecay),
        In = call.Input(In),
        Out = call.Input(Out),
        Skip = call.Input(Skip),
        Kept = Kept(call),
        DY = call.OutputGradient(0),
        Continues = call.Input(Continues),
        DX = call.InputGradient(X),
        AccumulateX = call.Accumulates(X),
        DDelta = call.InputGradient(Delta),
        AccumulateDelta = call.Accumulates(Delta),
        DIn = call.InputGradient(In),
        AccumulateIn = call.Accumulates(In),
        DOut = call.InputGradient(Out),
        AccumulateOut = call.Accumulates(Out),
        DLogDecay = call.InputGradient(LogDecay),
        DSkip = call.InputGradient(Skip),
        Scratch = call.Scratch,
    };

    // For the backward pass only.
    private static View Kept(OpCall call) => call.Node.Outputs.Count > 1 ? call.Output(1) : default;

    private static void Check(Tensor x, Tensor delta, Tensor logDecay, Tensor input, Tensor output)
    {
        bool fits = x.Layout.Rank == 3 && delta.Layout.SameShape(x.Layout) && logDecay.Layout.Rank == 2 && logDecay[0] == x[2]
            && input.Layout.SameShape(Layout.Of(x[0], x[1], logDecay[1])) && output.Layout.SameShape(input.Layout);
        if (!fits)
        {
            throw new ArgumentException(
                $"selective-scan: x {x}, delta {delta}, logDecay {logDecay}, in {input} and out {output}; expected [B, T, C], the same, [C, N], [B, T, N] and the same");
        }
    }

    private static double[] Reference(double[][] v, int batch, int time, int width, int states, double[]? continues)
    {
        var y = new double[batch * time * width];
        for (int b = 0; b < batch; b++)
        {
            for (int c = 0; c < width; c++)
            {
                var s = new double[states];
                for (int t = 0; t < time; t++)
                {
                    int place = b * time + t, at = place * width + c;
                    double step = Softplus.Reference(v[1][at]);
                    y[at] = v[5][c] * v[0][at];
                    for (int n = 0; n < states; n++)
                    {
                        double before = continues is null ? s[n] : continues[place] * s[n];
                        s[n] = Math.Exp(-step * Math.Exp(v[2][c * states + n])) * before + step * v[0][at] * v[3][place * states + n];
                        y[at] += v[4][place * states + n] * s[n];
                    }
                }
            }
        }

        return y;
    }
}
