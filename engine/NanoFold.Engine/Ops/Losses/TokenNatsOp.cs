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
        foreach (RowChunk chunk in Chunks(call))
        {
            View p = chunk.Table(0), marks = chunk.Numbers(1), own = chunk.Column(call.Output(0)), targets = chunk.Column(call.Input(Targets));
            chunk.Softmax(backend, call, X, W, p);
            taking.Run(new TakeAlongCall(p, targets, own, 1, Accumulate: false));
            toReal.Run(new IntegerConversionCall(targets, marks));
            backend.Map(default(Nats), own, own);
            backend.Zip(default(KlDivergenceOp.WhereMarked), own, marks, own);
        }
    }

    public override void Backward(Backend backend, OpCall call)
    {
        foreach (RowChunk chunk in Chunks(call))
        {
            View p = chunk.Table(0), scale = chunk.Numbers(1), targets = chunk.Column(call.Input(Targets));
            chunk.Softmax(backend, call, X, W, p);
            toReal.Run(new IntegerConversionCall(targets, scale));
            backend.Zip(default(KlDivergenceOp.WhereMarked), chunk.Column(call.OutputGradient(0)), scale, scale);
            backend.Zip(default(MultiplyOp.Product), p, scale, p);
            backend.Map(default(Negative), scale, scale);
            placing.Run(new PlaceAlongCall(scale, targets, p, 1, true));
            chunk.Backward(backend, call, X, W, p);
        }
    }

    public override long ForwardScratchBytes(Node node) => RowChunk.Bytes(tables: 1, node.Inputs[X][0], node.Inputs[W][0], node.Inputs[X].Type);

    public override long BackwardScratchBytes(Node node) => ForwardScratchBytes(node);

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

    private static RowChunk.Sequence Chunks(OpCall call) => RowChunk.Of(call, call.Input(X).Layout[0], call.Input(W).Layout[0], call.Input(X).Type);

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
}
