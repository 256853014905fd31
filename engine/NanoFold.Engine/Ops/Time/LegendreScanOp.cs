using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>
/// The time-invariant state space of HiPPO-LegS in each channel, its history in Legendre polynomials: see <see cref="LegendreScanCall"/>. x, y [B, T, C], delta [C],
/// out [C, N], skip [C], continues [B, T] or none. It keeps a state for every 64 places.
/// </summary>
public sealed class LegendreScanOp(IKernel<LegendreScanCall> kernel, IKernel<LegendreScanBackwardCall>? backward) : Op
{
    private const int X = 0, Delta = 1, Out = 2, Skip = 3, Continues = 4, State = 5, Counts = 6;

    public override string Name => "legendre-scan";

    /// <summary>Decoding replaces its state.</summary>
    public override bool HasSideEffects => backward is null;

    public static Tensor Record(Tape tape, Tensor x, Tensor delta, Tensor output, Tensor skip, Tensor continues = default)
    {
        Check(x, output);
        var op = new LegendreScanOp(tape.Backend.Require<LegendreScanCall>(), tape.Backend.Require<LegendreScanBackwardCall>());
        (Layout, DType) y = (x.Layout, tape.Type), kept = (Layout.Of(x[0], SelectiveScanCall.Chunks(x[1]), output[1], x[2]), tape.Type.Sum());
        return tape.Record(op, [x, delta, output, skip, continues, default, default], tape.KeepsForGradient ? [y, kept] : [y])[0];
    }

    /// <summary>
    /// Goes on from <paramref name="state"/> [B, N, C] by <paramref name="counts"/>[b] places of each row and leaves the state after them there; no gradient.
    /// </summary>
    public static Tensor Decode(Tape tape, Tensor x, Tensor delta, Tensor output, Tensor skip, Tensor state, Tensor counts, Tensor continues = default)
    {
        Check(x, output);
        return tape.Record(new LegendreScanOp(tape.Backend.Require<LegendreScanCall>(), null), [x, delta, output, skip, continues, state, counts], x.Layout);
    }

    public override bool IsDifferentiable(int input) => backward is not null && input is X or Delta or Out or Skip;

    public override bool BackwardReadsInput(int input) => input is not (State or Counts);

    public override bool BackwardReadsOutput(int output) => output == 1;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(Values(call));

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, Delta);
        call.ZeroUnlessAccumulating(backend, Out);
        call.ZeroUnlessAccumulating(backend, Skip);
        backward!.Run(Gradients(call));
    }

    public override long ForwardScratchBytes(Node node) => kernel.ScratchBytes(Values(OpCall.OfShapes(node)));

    public override long BackwardScratchBytes(Node node) => backward!.ScratchBytes(Gradients(OpCall.OfShapes(node)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int b, int t, int c, int n) in new[] { (2, 5, 3, 1), (1, 9, 19, 6), (2, 70, 2, 4) })
        {
            yield return Case($"legendre-scan [{b}, {t}, {c}] of {n}", b, t, c, n, null);
            yield return Case($"legendre-scan of documents [{b}, {t}, {c}] of {n}", b, t, c, n, [.. Enumerable.Range(0, b * t).Select(i => i % t == 0 || i % 5 == 3 || i == 64 ? 0.0 : 1)]);
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) =>
        [Case($"legendre-scan {s.Name} [{s.Batch}, {s.Time}, {2 * s.Width}] of 16", s.Batch, s.Time, 2 * s.Width, 16, null)];

    private static OpCase Case(string name, int b, int t, int c, int n, double[]? continues)
    {
        OpInput[] inputs = [OpInput.Real(b, t, c), new OpInput([c], -3, 0) { IsWeight = true }, OpInput.Weight(c, n), OpInput.Weight(c)];
        return new OpCase(
            name, continues is null ? inputs : [.. inputs, new OpInput([b, t]) { Values = continues }],
            (tape, x) => Record(tape, x[0], x[1], x[2], x[3], continues is null ? default : x[4]), v => Reference(v, b, t, c, n, continues))
        { Tolerance = 5e-6 };
    }

    private static LegendreScanCall Values(OpCall call) => new()
    {
        X = call.Input(X),
        Delta = call.Input(Delta),
        Out = call.Input(Out),
        Skip = call.Input(Skip),
        Y = call.Output(0),
        Continues = call.Input(Continues),
        Counts = call.Input(Counts),
        State = call.Input(State),
        Kept = Kept(call),
        Scratch = call.Scratch,
    };

    private static LegendreScanBackwardCall Gradients(OpCall call) => new()
    {
        X = call.Input(X),
        Delta = call.Input(Delta),
        Out = call.Input(Out),
        Skip = call.Input(Skip),
        Kept = Kept(call),
        DY = call.OutputGradient(0),
        Continues = call.Input(Continues),
        DX = call.InputGradient(X),
        AccumulateX = call.Accumulates(X),
        DDelta = call.InputGradient(Delta),
        DOut = call.InputGradient(Out),
        DSkip = call.InputGradient(Skip),
        Scratch = call.Scratch,
    };

    // For the backward pass only.
    private static View Kept(OpCall call) => call.Node.Outputs.Count > 1 ? call.Output(1) : default;

    private static void Check(Tensor x, Tensor output)
    {
        if (x.Layout.Rank != 3 || output.Layout.Rank != 2 || output[0] != x[2])
        {
            throw new ArgumentException($"legendre-scan: x {x} and out {output}; expected [B, T, C] and [C, N]");
        }
    }

    // With whole matrices: (1 − δ A) s' = (1 + δ A) s + 2 δ B x by forward substitution.
    private static double[] Reference(double[][] v, int batch, int time, int width, int states, double[]? continues)
    {
        double A(int n, int k) => n > k ? -Math.Sqrt((2 * n + 1.0) * (2 * k + 1)) : n == k ? -(n + 1) : 0;
        var y = new double[batch * time * width];
        for (int i = 0; i < batch * width; i++)
        {
            int b = i / width, c = i % width;
            double half = Softplus.Reference(v[1][c]) / 2;
            var s = new double[states];
            for (int t = 0; t < time; t++)
            {
                double x = v[0][(b * time + t) * width + c], carries = continues?[b * time + t] ?? 1;
                var next = new double[states];
                for (int n = 0; n < states; n++)
                {
                    double right = carries * s[n] + 2 * half * Math.Sqrt(2 * n + 1) * x;
                    for (int k = 0; k <= n; k++)
                    {
                        right += half * A(n, k) * (carries * s[k] + next[k]);
                    }

                    next[n] = right / (1 - half * A(n, n));
                }

                s = next;
                y[(b * time + t) * width + c] = v[3][c] * x + s.Select((value, n) => v[2][c * states + n] * value).Sum();
            }
        }

        return y;
    }
}
