using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// nats [N] = −ln softmax(x Wᵀ)[target] of each row, 0 where the target is −1: what a cross-entropy adds up, as values that other losses are made of. Probabilities exist a chunk
/// of rows at a time. x [.., C], W [V, C], targets Int32 [..]. dlogits = dNats ⊙ (softmax − onehot).
/// </summary>
public sealed class TokenNatsOp(IKernel<TakeAlongCall> taking, IKernel<PlaceAlongCall> placing, IKernel<IntegerConversionCall> toReal) : Op
{
    private const int X = 0, W = 1, Targets = 2;

    // Elements of the logits of a chunk.
    private const long Chunk = 1 << 22;

    public override string Name => "token-nats";

    /// <returns>[N].</returns>
    public static Tensor Record(Tape tape, Tensor x, Tensor weight, Tensor targets)
    {
        if (x[-1] != weight[1] || targets.Layout.Count != x.Layout.Rows || tape.Type.Is16Bit())
        {
            throw new ArgumentException($"token-nats: x {x}, weight {weight}, targets {targets}; expected [.., C], [V, C] and [..] of 32 or 64 bits");
        }

        int rows = checked((int)x.Layout.Rows);
        var op = new TokenNatsOp(tape.Backend.Require<TakeAlongCall>(), tape.Backend.Require<PlaceAlongCall>(), tape.Backend.Require<IntegerConversionCall>());
        return tape.Record(op, [x.Reshape(rows, x[-1]), weight, targets.Reshape(rows)], Layout.Of(rows));
    }

    public override bool IsDifferentiable(int input) => input < Targets;

    public override void Forward(Backend backend, OpCall call)
    {
        View nats = call.Output(0);
        for (int start = 0; start < nats.Layout[0]; start += Rows(call.Node))
        {
            var chunk = new Piece(call, start, Rows(call.Node));
            chunk.Probabilities(backend, call);
            View own = chunk.Column(nats), targets = chunk.Column(call.Input(Targets));
            taking.Run(new TakeAlongCall(chunk.P, targets, own, 1, Accumulate: false));
            toReal.Run(new IntegerConversionCall(targets, chunk.Scale));
            backend.Map(default(Nats), own, own);
            backend.Zip(default(KlDivergenceOp.WhereMarked), own, chunk.Scale, own);
        }
    }

    public override void Backward(Backend backend, OpCall call)
    {
        for (int start = 0; start < call.Output(0).Layout[0]; start += Rows(call.Node))
        {
            var chunk = new Piece(call, start, Rows(call.Node));
            chunk.Probabilities(backend, call);
            View targets = chunk.Column(call.Input(Targets));
            toReal.Run(new IntegerConversionCall(targets, chunk.Scale));
            backend.Zip(default(KlDivergenceOp.WhereMarked), chunk.Column(call.OutputGradient(0)), chunk.Scale, chunk.Scale);
            backend.Zip(default(MultiplyOp.Product), chunk.P, chunk.Scale, chunk.P);
            backend.Map(default(Negative), chunk.Scale, chunk.Scale);
            placing.Run(new PlaceAlongCall(chunk.Scale, targets, chunk.P, 1, true));
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
            double[] targets = [.. Enumerable.Range(0, rows).Select(i => i % 3 == 2 ? -1 : i * 5 % vocab)];
            yield return new OpCase($"token-nats [{rows}, {width}] x [{vocab}, {width}]",
                [OpInput.Real(rows, width), OpInput.Weight(vocab, width), new OpInput([rows]) { IsInteger = true, Values = targets }],
                (tape, t) => Record(tape, t[0], t[1], t[2]), a => Reference(a, rows, width, vocab)) { Tolerance = 1e-5, Takes16Bits = false };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"token-nats {s.Name} [{s.Tokens}, {s.Width}] x [{s.Vocab}, {s.Width}]",
            [OpInput.Real(s.Tokens, s.Width), OpInput.Weight(s.Vocab, s.Width), OpInput.Integers(s.Vocab, s.Tokens)],
            (tape, t) => Record(tape, t[0], t[1], t[2]), a => Reference(a, s.Tokens, s.Width, s.Vocab));
    }

    private static double[] Reference(double[][] a, int rows, int width, int vocab) =>
    [
        .. Enumerable.Range(0, rows).Select(row =>
        {
            double[] logits = [.. Enumerable.Range(0, vocab).Select(v => Enumerable.Range(0, width).Sum(c => a[0][(row * width) + c] * a[1][(v * width) + c]))];
            return a[2][row] < 0 ? 0 : Math.Log(logits.Sum(Math.Exp)) - logits[(int)a[2][row]];
        }),
    ];

    private static int Rows(Node node) => (int)Math.Clamp(Chunk / node.Inputs[W][0], 1, node.Inputs[X][0]);

    private static long ScratchBytes(Node node) => (((long)Rows(node) * node.Inputs[W][0]) + Rows(node)) * node.Inputs[X].Type.Size();

    /// <summary>−ln p; a probability below the smallest normal number counts as that.</summary>
    internal readonly struct Nats : IUnaryOp
    {
        public V Invoke<V>(V p)
            where V : struct, ILane<V>
            => -V.Log(V.Max(p, V.Constant(1.2e-38)));
    }

    internal readonly struct Negative : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => -x;
    }

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
            Scale = call.Scratch.As(x.Type, Layout.Of(_count, 1), all.Count);
        }

        public View P { get; }

        public View Scale { get; }

        public View Of(in View rows) => rows.With(Layout.Of(_count, rows.Layout[1]), (long)_start * rows.Layout[1]);

        public View Column(in View values) => values.With(Layout.Of(_count, 1), _start);

        public void Probabilities(Backend backend, OpCall call)
        {
            backend.MatMul(new MatMulArgs { A = Of(call.Input(X)), B = call.Input(W), TransposeB = true, Y = P, AllowsTensorFloat32 = call.AllowsTensorFloat32 });
            backend.Softmax(P, P, 1, default);
        }
    }
}
