using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// What is left of pairs of heads, y = x_h − λ x_h+n: x [B, T, H, D], λ [1], y [B, T, H / 2, D] (differential attention, arXiv 2410.05258). Of every 2n heads the first n
/// are paired with the last n, in their order: with n = 1 heads 2i and 2i + 1. dx_h = dy, dx_h+n = −λ dy, dλ = −Σ dy ⊙ x_h+n.
/// </summary>
public sealed class DifferenceOp(int apart) : Op
{
    private const int X = 0, Lambda = 1;

    public override string Name => "difference";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[B, T, H, D].</param>
    /// <param name="lambda">[1].</param>
    /// <param name="apart">n, how far the heads of a pair are apart; H is a multiple of 2n.</param>
    public static Tensor Record(Tape tape, Tensor x, Tensor lambda, int apart = 1) => x.Layout.Rank == 4 && x[2] % (2 * apart) == 0 && lambda.Layout.Count == 1
        ? tape.Record(new DifferenceOp(apart), [BroadcastOp.Contiguous(tape, x), lambda], Layout.Of(x[0], x[1], x[2] / 2, x[3]))
        : throw new ArgumentException($"difference: x {x} and lambda {lambda}; expected [B, T, H, D] with H a multiple of {2 * apart}, and [1]");

    public override void Forward(Backend backend, OpCall call) =>
        backend.Zip(default(Left), Half(call.Input(X), 0), Half(call.Input(X), 1), One(call.Input(Lambda)), Flat(call.Output(0)));

    public override void Backward(Backend backend, OpCall call)
    {
        View dy = Flat(call.OutputGradient(0)), dx = call.InputGradient(X), lambda = One(call.Input(Lambda)), dLambda = call.InputGradient(Lambda);
        if (!dx.IsNone)
        {
            backend.Copy(dy, Half(dx, 0), call.Accumulates(X));
            backend.Zip(default(NegativeProduct), dy, lambda, Half(dx, 1), call.Accumulates(X));
        }

        if (!dLambda.IsNone)
        {
            View products = call.Scratch.As(dy.Type, dy.Layout.Contiguous(), Reduction.ScratchBytes(dy.Type, 1) / dy.Type.Size());
            backend.Zip(default(NegativeProduct), dy, Half(call.Input(X), 1), products);
            Reduction.Sum(backend, products, One(dLambda), call.Accumulates(Lambda), call.Scratch);
        }
    }

    public override long BackwardScratchBytes(Node node) =>
        Reduction.ScratchBytes(node.Outputs[0].Type, 1) + (node.Outputs[0].Layout.Count * node.Outputs[0].Type.Size());

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("difference [2, 3, 4, 5]", [OpInput.Real(2, 3, 4, 5), OpInput.Real(1)], (tape, t) => Record(tape, t[0], t[1]),
            a => [.. a[0].Chunk(10).SelectMany(pair => Enumerable.Range(0, 5).Select(i => pair[i] - (a[1][0] * pair[i + 5])))]);
        yield return new OpCase("difference of heads 3 apart [2, 2, 12, 5]", [OpInput.Real(2, 2, 12, 5), OpInput.Real(1)], (tape, t) => Record(tape, t[0], t[1], apart: 3),
            a => [.. a[0].Chunk(30).SelectMany(block => Enumerable.Range(0, 15).Select(i => block[i] - (a[1][0] * block[i + 15])))]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int time, int h, int d) = (s.Batch, s.Time, s.Heads / 2 * 2, s.HeadDim);
        yield return new OpCase($"difference {s.Name} [{b}, {time}, {h}, {d}]", [OpInput.Real(b, time, h, d), OpInput.Real(1)], (tape, t) => Record(tape, t[0], t[1]),
            a => [.. a[0].Chunk(2 * d).SelectMany(pair => Enumerable.Range(0, d).Select(i => pair[i] - (a[1][0] * pair[i + d])))]);
    }

    // [B · T · H / 2n, n · D] of one member of each pair.
    private View Half(in View x, int member)
    {
        int width = apart * x.Layout[-1];
        Layout layout = x.Layout.Reshape([checked((int)(x.Layout.Count / (2 * width))), 2, width]).Slice(1, member, 1, out long offset);
        return x.With(layout, offset);
    }

    private View Flat(in View y) => y.With(y.Layout.Reshape([checked((int)(y.Layout.Count / (apart * y.Layout[-1]))), 1, apart * y.Layout[-1]]));

    private static View One(in View lambda) => lambda.With(Layout.Of(1, 1, 1));

    internal readonly struct Left : ITernaryOp
    {
        public V Invoke<V>(V first, V second, V lambda)
            where V : struct, ILane<V>
            => V.MultiplyAdd(-lambda, second, first);
    }

    internal readonly struct NegativeProduct : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => -(a * b);
    }
}
