using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>
/// h_t = a_t ⊙ c_t h_{t−1} + x_t along time, channel by channel: see <see cref="ScanCall"/>. x, h [B, T, C], a the same or broadcast, c = continues [B, T] or none,
/// states [B, C]. The gradient is a scan the other way.
/// </summary>
public sealed class ScanOp(IKernel<ScanCall> kernel, IKernel<ScanBackwardCall>? backward, bool reverse) : Op
{
    private const int A = 0, X = 1, Continues = 2, Initial = 3, Counts = 4;

    public override string Name => "scan";

    /// <summary>Decoding replaces its state.</summary>
    public override bool HasSideEffects => backward is null;

    /// <param name="tape">Where to record.</param>
    /// <param name="a">[B, T, C], any of its dimensions of length 1.</param>
    /// <param name="x">[B, T, C].</param>
    /// <param name="continues">[B, T], or none.</param>
    /// <param name="initial">State before the first place, [B, C], or none for 0.</param>
    /// <param name="reverse">From the last place to the first.</param>
    /// <returns>All states, and the last one in the type of sums.</returns>
    public static (Tensor States, Tensor Final) Record(Tape tape, Tensor a, Tensor x, Tensor continues = default, Tensor initial = default, bool reverse = false)
    {
        Check(a, x);
        var op = new ScanOp(tape.Backend.Require<ScanCall>(), tape.Backend.Require<ScanBackwardCall>(), reverse);
        Tensor[] outputs = tape.Record(op, [a, x, continues, initial, default], [(x.Layout, tape.Type), (Layout.Of(x[0], x[2]), tape.Type.Sum())]);
        return (outputs[0], outputs[1]);
    }

    /// <summary>
    /// Goes on from <paramref name="state"/> [B, C] by <paramref name="counts"/>[b] places of each row and leaves the state after them there; no gradient.
    /// </summary>
    public static Tensor Decode(Tape tape, Tensor a, Tensor x, Tensor state, Tensor counts, Tensor continues = default)
    {
        Check(a, x);
        return tape.Record(new ScanOp(tape.Backend.Require<ScanCall>(), null, reverse: false), [a, x, continues, state, counts], x.Layout);
    }

    public override bool IsDifferentiable(int input) => backward is not null && input is A or X or Initial;

    public override bool BackwardReadsInput(int input) => input is A or Continues or Initial;

    public override bool BackwardReadsOutput(int output) => output == 0;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new ScanCall
    {
        A = call.Input(A),
        X = call.Input(X),
        H = call.Output(0),
        Continues = call.Input(Continues),
        Initial = call.Input(Initial),
        Final = backward is null ? call.Input(Initial) : call.Output(1),
        Counts = call.Input(Counts),
        Reverse = reverse,
    });

    public override void Backward(Backend backend, OpCall call)
    {
        View h = call.Output(0), dA = call.InputGradient(A);
        View full = dA.IsNone || IsDirect(dA, h) ? dA : call.Scratch.As(h.Type, h.Layout, Reduction.ScratchBytes(h.Type, dA.Count) / h.Type.Size());
        backward!.Run(new ScanBackwardCall
        {
            A = call.Input(A),
            H = h,
            DH = call.OutputGradient(0),
            DFinal = call.OutputGradient(1),
            Continues = call.Input(Continues),
            Initial = call.Input(Initial),
            Reverse = reverse,
            DX = call.InputGradient(X),
            AccumulateX = call.Accumulates(X),
            DA = full,
            AccumulateA = IsDirect(dA, h) && call.Accumulates(A),
            DInitial = call.InputGradient(Initial),
            AccumulateInitial = call.Accumulates(Initial),
        });
        if (!dA.IsNone && !IsDirect(dA, h))
        {
            Reduction.Sum(backend, full, dA, call.Accumulates(A), call.Scratch);
        }
    }

    public override long BackwardScratchBytes(Node node)
    {
        Tensor a = node.Inputs[A], h = node.Outputs[0];
        return Reduction.ScratchBytes(h.Type, a.Layout.Count) + h.Layout.Count * h.Type.Size();
    }

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int b, int t, int c, int[] a) in new (int, int, int, int[])[]
        {
            (1, 1, 1, [1, 1, 1]), (2, 7, 5, [2, 7, 5]), (1, 33, 70, [1, 33, 70]), (3, 9, 67, [3, 9, 1]), (2, 12, 33, [1, 1, 33]),
        })
        {
            foreach (bool reverse in new[] { false, true })
            {
                yield return new OpCase($"scan{(reverse ? " in reverse" : "")} [{b}, {t}, {c}] by [{string.Join(", ", a)}]", [new OpInput(a, 0.3, 1), OpInput.Real(b, t, c)],
                    (tape, x) => Record(tape, x[0], x[1], reverse: reverse), v => Reference(v, b, t, c, a, null, reverse))
                { Tolerance = 5e-6 };
                double[] continues = [.. Enumerable.Range(0, b * t).Select(i => i % 5 == 3 || i % t == 0 && i % 2 == 0 ? 0.0 : 1)];
                yield return new OpCase($"scan{(reverse ? " in reverse" : "")} of documents [{b}, {t}, {c}] by [{string.Join(", ", a)}]",
                    [new OpInput(a, -1, 1), OpInput.Real(b, t, c), OpInput.Real(b, c), new OpInput([b, t]) { Values = continues }],
                    (tape, x) => Record(tape, x[0], x[1], x[3], x[2], reverse), v => Reference(v, b, t, c, a, continues, reverse))
                { Tolerance = 5e-6 };
            }
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int t, int c) = (s.Batch, s.Time, s.Width);
        yield return new OpCase($"scan {s.Name} [{b}, {t}, {c}]", [new OpInput([b, t, c], 0.3, 1), OpInput.Real(b, t, c)],
            (tape, x) => Record(tape, x[0], x[1]).States, v => Reference(v, b, t, c, [b, t, c], null, false)[..(b * t * c)])
        { Tolerance = 5e-6 };
    }

    private static void Check(Tensor a, Tensor x)
    {
        if (x.Layout.Rank != 3 || a.Layout.Rank != 3)
        {
            throw new ArgumentException($"scan: x {x} and a {a}; expected [B, T, C] and the same or of length 1 where it is broadcast");
        }

        _ = a.Layout.BroadcastTo(x.Layout);
    }

    private static bool IsDirect(in View dA, in View h) => !dA.IsNone && dA.Type == h.Type && dA.Layout.SameShape(h.Layout);

    private static double[] Reference(double[][] v, int batch, int time, int width, int[] shape, double[]? continues, bool reverse)
    {
        var h = new double[batch * time * width];
        var final = new double[batch * width];
        for (int b = 0; b < batch; b++)
        {
            for (int c = 0; c < width; c++)
            {
                double state = continues is null ? 0 : v[2][b * width + c];
                for (int i = 0; i < time; i++)
                {
                    int t = reverse ? time - 1 - i : i, seam = reverse ? t + 1 : t;
                    double a = v[0][((shape[0] == 1 ? 0 : b) * shape[1] + (shape[1] == 1 ? 0 : t)) * shape[2] + (shape[2] == 1 ? 0 : c)];
                    state *= continues is null || seam == time ? 1 : continues[b * time + seam];
                    h[(b * time + t) * width + c] = state = a * state + v[1][(b * time + t) * width + c];
                }

                final[b * width + c] = state;
            }
        }

        return [.. h, .. final];
    }
}
