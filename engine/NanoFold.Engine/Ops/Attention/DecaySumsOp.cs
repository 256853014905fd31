using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Running sums of log forget gates, c_t = Σ_{l ≤ t} log σ(x_l): x [B, T, H], c [B, H, T] in the type of sums, for <see cref="ScoreTerms.Decay"/>. They begin
/// anew with every document, so that they stay small and a document does not depend on those before it. Composed of a map, a scan and copies.
/// dx_t = σ(−x_t) · Σ_{l ≥ t} dc_l.
/// </summary>
public sealed class DecaySumsOp(IKernel<ScanCall> scan, bool isDecoding) : Op
{
    private const int X = 0, State = 1, Counts = 2, Continues = 3;

    // Scratch begins with the number 1, aligned.
    private const int Unit = 64;

    public override string Name => "decay-sums";

    /// <summary>Decoding replaces its state.</summary>
    public override bool HasSideEffects => isDecoding;

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[B, T, H].</param>
    /// <param name="continues">[B, T], 0 where a document begins; or none.</param>
    public static Tensor Record(Tape tape, Tensor x, Tensor continues = default) => Record(tape, x, default, default, continues, isDecoding: false);

    /// <summary>Goes on from the sums before, <paramref name="state"/> [B, H], by <paramref name="counts"/>[b] tokens of each row, and leaves those after them there.</summary>
    public static Tensor Decode(Tape tape, Tensor x, Tensor state, Tensor counts) => Record(tape, x, state, counts, default, isDecoding: true);

    public override bool IsDifferentiable(int input) => input == X && !isDecoding;

    public override void Forward(Backend backend, OpCall call)
    {
        View x = call.Input(X), y = call.Output(0), logs = Piece(call, 0);
        backend.Copy(x, logs);
        backend.Map(default(LogSigmoid), logs, logs);
        Scan(backend, call, logs, call.Input(State), call.Input(Counts), reverse: false);
        backend.Copy(logs.With(logs.Layout.Permute(0, 2, 1)), y);
    }

    public override void Backward(Backend backend, OpCall call)
    {
        View x = call.Input(X), dx = call.InputGradient(X), dy = call.OutputGradient(0), sums = Piece(call, 0);
        backend.Copy(dy.With(dy.Layout.Permute(0, 2, 1)), sums);
        Scan(backend, call, sums, default, default, reverse: true);
        if (x.Type == sums.Type)
        {
            backend.Zip(default(Gradient), x, sums, dx, call.Accumulates(X));
            return;
        }

        View exact = Piece(call, 1);
        backend.Copy(x, exact);
        backend.Zip(default(Gradient), exact, sums, sums);
        backend.Copy(sums, dx, call.Accumulates(X));
    }

    public override long ForwardScratchBytes(Node node) => ScratchBytes(node, pieces: 1);

    public override long BackwardScratchBytes(Node node) => ScratchBytes(node, pieces: 2);

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("decay-sums [2, 7, 3]", [new OpInput([2, 7, 3], -3, 3)], (tape, t) => Record(tape, t[0]), a => Reference(a[0], 2, 7, 3)) { Tolerance = 4e-6 };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"decay-sums {s.Name} [{s.Batch}, {s.Time}, {s.Heads}]", [new OpInput([s.Batch, s.Time, s.Heads], -3, 3)],
            (tape, t) => Record(tape, t[0]), a => Reference(a[0], s.Batch, s.Time, s.Heads))
        { Tolerance = 4e-6 };
    }

    private static Tensor Record(Tape tape, Tensor x, Tensor state, Tensor counts, Tensor continues, bool isDecoding) => x.Layout.Rank == 3
        ? tape.Record(new DecaySumsOp(tape.Backend.Require<ScanCall>(), isDecoding), [x, state, counts, continues], [(Layout.Of(x[0], x[2], x[1]), tape.Type.Sum())])[0]
        : throw new ArgumentException($"decay-sums: x {x}; expected [B, T, H]");

    // The 1, the continuations, then pieces [B, T, H].
    private static long ScratchBytes(Node node, int pieces) => (Start(node.Outputs[0].Layout) + (pieces * Padded(node.Outputs[0].Layout.Count))) * node.Outputs[0].Type.Size();

    private static long Start(in Layout layout) => Unit + Padded(layout.Count / layout[1]);

    private static long Padded(long count) => (count + Unit - 1) / Unit * Unit;

    private static View Piece(OpCall call, int index)
    {
        View y = call.Output(0);
        return call.Scratch.As(y.Type, call.Input(X).Layout.Contiguous(), Start(y.Layout) + (index * Padded(y.Count)));
    }

    private void Scan(Backend backend, OpCall call, in View x, in View state, in View counts, bool reverse)
    {
        View one = call.Scratch.As(x.Type, Layout.Of(1, 1, 1)), continues = call.Input(Continues);
        backend.Fill(one, 1);
        if (!continues.IsNone && continues.Type != x.Type)
        {
            View exact = call.Scratch.As(x.Type, continues.Layout, Unit);
            backend.Copy(continues, exact);
            continues = exact;
        }

        scan.Run(new ScanCall { A = one, X = x, H = x, Initial = state, Final = state, Counts = counts, Continues = continues, Reverse = reverse });
    }

    internal static double[] Reference(double[] x, int batch, int time, int heads)
    {
        var y = new double[x.Length];
        for (int pair = 0; pair < batch * heads; pair++)
        {
            double sum = 0;
            for (int t = 0; t < time; t++)
            {
                sum -= Math.Log(1 + Math.Exp(-x[(((pair / heads * time) + t) * heads) + (pair % heads)]));
                y[(pair * time) + t] = sum;
            }
        }

        return y;
    }

    internal readonly struct LogSigmoid : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => -default(Softplus).Value(-x);
    }

    internal readonly struct Gradient : IBinaryOp
    {
        public V Invoke<V>(V x, V sum)
            where V : struct, ILane<V>
            => sum * LaneFormulas.Sigmoid(-x);
    }
}
