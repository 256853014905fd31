using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Two heads and the divergence between them in one: kl [N] = KL(softmax(x Wᵀ) ‖ softmax(y Uᵀ)) of each marked row, in nats. Logits exist a chunk of rows at a time. x and y [.., C],
/// W and U [V, C], marks Int32 [..], −1 for none. Gradients flow to x and W; y and U are a reference.
/// </summary>
public sealed class LinearKlOp(IKernel<IntegerConversionCall> toReal) : Op
{
    private const int X = 0, W = 1, Y = 2, U = 3, Marks = 4;

    // Elements of the logits of a chunk.
    private const long Chunk = 1 << 22;

    public override string Name => "linear-kl";

    /// <returns>[N].</returns>
    public static Tensor Record(Tape tape, Tensor x, Tensor weight, Tensor y, Tensor other, Tensor marks)
    {
        if (!x.Layout.SameShape(y.Layout) || !weight.Layout.SameShape(other.Layout) || x[-1] != weight[1] || marks.Layout.Count != x.Layout.Rows)
        {
            throw new ArgumentException($"linear-kl: x {x}, weight {weight}, y {y}, other {other}, marks {marks}; expected [.., C], [V, C] twice and [..]");
        }

        int rows = checked((int)x.Layout.Rows);
        if (tape.Type.Is16Bit())
        {
            return KlDivergenceOp.Record(tape, LinearOp.Record(tape, x, weight), LinearOp.Record(tape, y, other), marks);
        }

        var op = new LinearKlOp(tape.Backend.Require<IntegerConversionCall>());
        return tape.Record(op, [x.Reshape(rows, x[-1]), weight, y.Reshape(rows, y[-1]), other, marks.Reshape(rows)], Layout.Of(rows));
    }

    public override bool IsDifferentiable(int input) => input < Y;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call)
    {
        View kl = call.Output(0);
        for (int start = 0; start < kl.Layout[0]; start += Rows(call.Node))
        {
            var chunk = new Piece(call, start, Rows(call.Node));
            chunk.Softmaxes(backend, call);
            View own = chunk.Column(kl);
            backend.Zip(default(KlDivergenceOp.Share), chunk.P, chunk.Q, chunk.P);
            backend.Sum(chunk.P, own);
            toReal.Run(new IntegerConversionCall(chunk.Column(call.Input(Marks)), chunk.Scale));
            backend.Zip(default(KlDivergenceOp.WhereMarked), own, chunk.Scale, own);
        }
    }

    public override void Backward(Backend backend, OpCall call)
    {
        for (int start = 0; start < call.Output(0).Layout[0]; start += Rows(call.Node))
        {
            var chunk = new Piece(call, start, Rows(call.Node));
            chunk.Softmaxes(backend, call);
            toReal.Run(new IntegerConversionCall(chunk.Column(call.Input(Marks)), chunk.Scale));
            backend.Zip(default(KlDivergenceOp.WhereMarked), chunk.Column(call.OutputGradient(0)), chunk.Scale, chunk.Scale);
            backend.Zip(default(KlDivergenceOp.Excess), chunk.P, chunk.Q, chunk.Column(call.Output(0)), chunk.P);
            backend.Zip(default(MultiplyOp.Product), chunk.P, chunk.Scale, chunk.P);
            if (!call.InputGradient(X).IsNone)
            {
                backend.MatMul(new MatMulArgs { A = chunk.P, B = call.Input(W), Y = chunk.Of(call.InputGradient(X)), Accumulate = call.Accumulates(X), AllowsTensorFloat32 = call.AllowsTensorFloat32 });
            }

            if (!call.InputGradient(W).IsNone)
            {
                backend.MatMul(new MatMulArgs
                {
                    A = chunk.P, TransposeA = true, B = chunk.Of(call.Input(X)), Y = call.InputGradient(W), Accumulate = start > 0 || call.Accumulates(W), AllowsTensorFloat32 = call.AllowsTensorFloat32,
                });
            }
        }
    }

    public override long ForwardScratchBytes(Node node) => ScratchBytes(node);

    public override long BackwardScratchBytes(Node node) => ScratchBytes(node);

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int width, int vocab) in new[] { (1, 3, 2), (9, 7, 13) })
        {
            double[] marks = [.. Enumerable.Range(0, rows).Select(i => i % 3 == 2 ? -1 : i)];
            yield return new OpCase($"linear-kl [{rows}, {width}] x [{vocab}, {width}]", Inputs(rows, width, vocab, marks),
                (tape, t) => Record(tape, t[0], t[1], t[2], t[3], t[4]), a => Reference(a, rows, width, vocab)) { Tolerance = 1e-5, CheckGradient = false };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"linear-kl {s.Name} [{s.Tokens}, {s.Width}] x [{s.Vocab}, {s.Width}]", Inputs(s.Tokens, s.Width, s.Vocab, new double[s.Tokens]),
            (tape, t) => Record(tape, t[0], t[1], t[2], t[3], t[4]), a => Reference(a, s.Tokens, s.Width, s.Vocab)) { CheckGradient = false };
    }

    private static OpInput[] Inputs(int rows, int width, int vocab, double[] marks) =>
        [OpInput.Real(rows, width), OpInput.Weight(vocab, width), OpInput.Real(rows, width), OpInput.Weight(vocab, width), new OpInput([rows]) { IsInteger = true, Values = marks }];

    private static double[] Reference(double[][] a, int rows, int width, int vocab)
    {
        double[] LogSoftmax(double[] x, double[] w, int row)
        {
            double[] logits = [.. Enumerable.Range(0, vocab).Select(v => Enumerable.Range(0, width).Sum(c => x[(row * width) + c] * w[(v * width) + c]))];
            double sum = Math.Log(logits.Sum(Math.Exp));
            return [.. logits.Select(logit => logit - sum)];
        }

        return
        [
            .. Enumerable.Range(0, rows).Select(row => a[4][row] < 0 ? 0 : LogSoftmax(a[0], a[1], row).Zip(LogSoftmax(a[2], a[3], row)).Sum(v => Math.Exp(v.First) * (v.First - v.Second))),
        ];
    }

    private static int Rows(Node node) => (int)Math.Clamp(Chunk / node.Inputs[W][0], 1, node.Inputs[X][0]);

    private static long ScratchBytes(Node node) => ((2L * Rows(node) * node.Inputs[W][0]) + Rows(node)) * node.Inputs[X].Type.Size();

    // Some rows, with what is computed of them.
    private readonly struct Piece
    {
        private readonly int _start;
        private readonly int _count;

        public Piece(OpCall call, int start, int most)
        {
            View x = call.Input(X);
            (_start, _count) = (start, Math.Min(most, x.Layout[0] - start));
            Layout all = Layout.Of(_count, call.Input(W).Layout[0]);
            P = call.Scratch.As(x.Type, all);
            Q = call.Scratch.As(x.Type, all, all.Count);
            Scale = call.Scratch.As(x.Type, Layout.Of(_count, 1), 2 * all.Count);
        }

        public View P { get; }

        public View Q { get; }

        public View Scale { get; }

        public View Of(in View rows) => rows.With(Layout.Of(_count, rows.Layout[1]), (long)_start * rows.Layout[1]);

        public View Column(in View values) => values.With(Layout.Of(_count, 1), _start);

        public void Softmaxes(Backend backend, OpCall call)
        {
            Logits(backend, call, X, W, P);
            Logits(backend, call, Y, U, Q);
        }

        private void Logits(Backend backend, OpCall call, int input, int weight, in View y)
        {
            backend.MatMul(new MatMulArgs { A = Of(call.Input(input)), B = call.Input(weight), TransposeB = true, Y = y, AllowsTensorFloat32 = call.AllowsTensorFloat32 });
            backend.Softmax(y, y, 1, default);
        }
    }
}
