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
        foreach (RowChunk chunk in Chunks(call))
        {
            (View p, View q, View marks) = Softmaxes(backend, call, chunk);
            View own = chunk.Column(call.Output(0));
            backend.Zip(default(KlDivergenceOp.Share), p, q, p);
            backend.Sum(p, own);
            toReal.Run(new IntegerConversionCall(chunk.Column(call.Input(Marks)), marks));
            backend.Zip(default(KlDivergenceOp.WhereMarked), own, marks, own);
        }
    }

    public override void Backward(Backend backend, OpCall call)
    {
        foreach (RowChunk chunk in Chunks(call))
        {
            (View p, View q, View scale) = Softmaxes(backend, call, chunk);
            toReal.Run(new IntegerConversionCall(chunk.Column(call.Input(Marks)), scale));
            backend.Zip(default(KlDivergenceOp.WhereMarked), chunk.Column(call.OutputGradient(0)), scale, scale);
            backend.Zip(default(KlDivergenceOp.Excess), p, q, chunk.Column(call.Output(0)), p);
            backend.Zip(default(MultiplyOp.Product), p, scale, p);
            chunk.Backward(backend, call, X, W, p);
        }
    }

    public override long ForwardScratchBytes(Node node) => RowChunk.Bytes(tables: 2, node.Inputs[X][0], node.Inputs[W][0], node.Inputs[X].Type);

    public override long BackwardScratchBytes(Node node) => ForwardScratchBytes(node);

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

    private static RowChunk.Sequence Chunks(OpCall call) => RowChunk.Of(call, call.Input(X).Layout[0], call.Input(W).Layout[0], call.Input(X).Type);

    // Both distributions, and room for a number for each row.
    private static (View P, View Q, View Numbers) Softmaxes(Backend backend, OpCall call, in RowChunk chunk)
    {
        View p = chunk.Table(0), q = chunk.Table(1);
        chunk.Softmax(backend, call, X, W, p);
        chunk.Softmax(backend, call, Y, U, q);
        return (p, q, chunk.Numbers(2));
    }
}
