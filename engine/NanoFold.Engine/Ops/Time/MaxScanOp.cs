using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>
/// A running maximum along time that fades: e_t = a_t + c_t m_{t−1}, m_t = max(e_t, x_t), channel by channel; see <see cref="MaxScanCall"/>. a, x, m, e [B, T, C],
/// c = continues [B, T] or none. Where the two are equal, the gradient is that of x.
/// </summary>
public sealed class MaxScanOp(IKernel<MaxScanCall> kernel, IKernel<MaxScanBackwardCall>? backward) : Op
{
    private const int A = 0, X = 1, Continues = 2, State = 3, Counts = 4;

    public override string Name => "max-scan";

    /// <summary>Decoding replaces its state.</summary>
    public override bool HasSideEffects => backward is null;

    /// <returns>m and e.</returns>
    public static (Tensor Maximum, Tensor Carried) Record(Tape tape, Tensor a, Tensor x, Tensor continues = default) =>
        Record(tape, new MaxScanOp(tape.Backend.Require<MaxScanCall>(), tape.Backend.Require<MaxScanBackwardCall>()), [a, x, continues, default, default]);

    /// <summary>
    /// Goes on from <paramref name="state"/> [B, C], of the type of sums, by <paramref name="counts"/>[b] places of each row and leaves the maxima after them there;
    /// no gradient.
    /// </summary>
    public static (Tensor Maximum, Tensor Carried) Decode(Tape tape, Tensor a, Tensor x, Tensor state, Tensor counts, Tensor continues = default) =>
        Record(tape, new MaxScanOp(tape.Backend.Require<MaxScanCall>(), null), [a, x, continues, state, counts]);

    public override bool IsDifferentiable(int input) => backward is not null && input is A or X;

    public override bool BackwardReadsInput(int input) => input is X or Continues;

    public override bool BackwardReadsOutput(int output) => output == 1;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new MaxScanCall
    {
        A = call.Input(A),
        X = call.Input(X),
        M = call.Output(0),
        Carried = call.Output(1),
        Continues = call.Input(Continues),
        Counts = call.Input(Counts),
        State = call.Input(State),
    });

    public override void Backward(Backend backend, OpCall call) => backward!.Run(new MaxScanBackwardCall
    {
        X = call.Input(X),
        Carried = call.Output(1),
        DM = call.OutputGradient(0),
        DCarried = call.OutputGradient(1),
        Continues = call.Input(Continues),
        DA = call.InputGradient(A),
        AccumulateA = call.Accumulates(A),
        DX = call.InputGradient(X),
        AccumulateX = call.Accumulates(X),
    });

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int b, int t, int c) in new[] { (1, 1, 1), (2, 9, 5), (1, 33, 70) })
        {
            yield return Case($"max-scan [{b}, {t}, {c}]", b, t, c, null);
            yield return Case($"max-scan of documents [{b}, {t}, {c}]", b, t, c, [.. Enumerable.Range(0, b * t).Select(i => i % 5 == 3 || i % t == 0 ? 0.0 : 1)]);
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) => [Case($"max-scan {s.Name} [{s.Batch}, {s.Time}, {s.Heads}]", s.Batch, s.Time, s.Heads, null)];

    private static (Tensor Maximum, Tensor Carried) Record(Tape tape, MaxScanOp op, Tensor[] inputs)
    {
        (Tensor a, Tensor x) = (inputs[A], inputs[X]);
        if (x.Layout.Rank != 3 || !a.Layout.SameShape(x.Layout))
        {
            throw new ArgumentException($"max-scan: a {a} and x {x}; expected [B, T, C] twice");
        }

        Tensor[] outputs = tape.Record(op, inputs, [(x.Layout.Contiguous(), tape.Type), (x.Layout.Contiguous(), tape.Type)]);
        return (outputs[0], outputs[1]);
    }

    // Eighths, and what is added to them so that no two that are compared are equal: 16 bits hold all of them.
    private static OpCase Case(string name, int b, int t, int c, double[]? continues)
    {
        double[] more = [.. Enumerable.Range(0, b * t * c).Select(i => (i / c % t * 5 % 8 / 64.0) + (1.0 / 128))], less = [.. Enumerable.Repeat(-1.0 / 16, b * t * c)];
        OpInput[] inputs =
        [
            new OpInput([b, t, c], -0.8, 0) { Step = 0.125 }, new OpInput([b, t, c], -2, 1.5) { Step = 0.125 }, new OpInput([b, t, c]) { Values = less }, new OpInput([b, t, c]) { Values = more },
        ];
        return new OpCase(
            name, continues is null ? inputs : [.. inputs, new OpInput([b, t]) { Values = continues }],
            (tape, v) => Record(tape, AddOp.Record(tape, v[0], v[2]), AddOp.Record(tape, v[1], v[3]), continues is null ? default : v[4]),
            v => Reference([.. v[0].Zip(v[2], (x, y) => x + y)], [.. v[1].Zip(v[3], (x, y) => x + y)], b, t, c, continues));
    }

    private static double[] Reference(double[] a, double[] x, int batch, int time, int width, double[]? continues)
    {
        int count = batch * time * width;
        var y = new double[2 * count];
        for (int i = 0; i < count; i++)
        {
            int place = i / width;
            double before = place % time == 0 ? 0 : (continues?[place] ?? 1) * y[i - width];
            y[count + i] = a[i] + before;
            y[i] = Math.Max(y[count + i], x[i]);
        }

        return y;
    }
}
