using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = m ⊙ a + (1 − m) ⊙ b with a share m for each channel: a, b, y [.., C], m [1, .., 1, C]. da = m ⊙ dy, db = (1 − m) ⊙ dy, dm = Σ dy ⊙ (a − b).
/// </summary>
public sealed class LerpOp : Op
{
    private const int A = 0, B = 1, Share = 2;

    public override string Name => "lerp";

    public static Tensor Record(Tape tape, Tensor a, Tensor b, Tensor share)
    {
        bool fits = a.Layout.SameShape(b.Layout) && share.Layout.Rank == a.Layout.Rank && share[-1] == a[-1] && share.Layout.Count == a[-1];
        return fits ? tape.Record(new LerpOp(), [a, b, share], a.Layout) : throw new ArgumentException($"lerp: {a}, {b} and {share}; expected [.., C] twice and [1, .., C]");
    }

    public override void Forward(Backend backend, OpCall call) => backend.Zip(default(Value), call.Input(A), call.Input(B), call.Input(Share), call.Output(0));

    public override void Backward(Backend backend, OpCall call)
    {
        ref readonly View dy = ref call.OutputGradient(0);
        if (!call.InputGradient(A).IsNone)
        {
            backend.Zip(default(MultiplyOp.Product), dy, call.Input(Share), call.InputGradient(A), call.Accumulates(A));
        }

        if (!call.InputGradient(B).IsNone)
        {
            backend.Zip(default(Rest), dy, call.Input(Share), call.InputGradient(B), call.Accumulates(B));
        }

        View dShare = call.InputGradient(Share);
        if (!dShare.IsNone)
        {
            View products = call.Scratch.As(dy.Type, dy.Layout, Reduction.ScratchBytes(dy.Type, dShare.Count) / dy.Type.Size());
            backend.Zip(default(Product), dy, call.Input(A), call.Input(B), products);
            Reduction.Sum(backend, products, dShare, call.Accumulates(Share), call.Scratch);
        }
    }

    public override long BackwardScratchBytes(Node node) =>
        Reduction.ScratchBytes(node.Outputs[0].Type, node.Inputs[Share].Layout.Count) + (node.Outputs[0].Layout.Count * node.Outputs[0].Type.Size());

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int b, int t, int c) in new[] { (1, 1, 1), (2, 3, 29) })
        {
            yield return Case($"lerp [{b}, {t}, {c}]", b, t, c);
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) => [Case($"lerp {s.Name} [{s.Batch}, {s.Time}, {s.Width}]", s.Batch, s.Time, s.Width)];

    private static OpCase Case(string name, int b, int t, int c) => new(
        name, [OpInput.Real(b, t, c), OpInput.Real(b, t, c), new OpInput([1, 1, c], 0, 1)], (tape, v) => Record(tape, v[0], v[1], v[2]),
        v => [.. v[0].Select((a, i) => (v[2][i % c] * a) + ((1 - v[2][i % c]) * v[1][i]))]);

    internal readonly struct Value : ITernaryOp
    {
        public V Invoke<V>(V a, V b, V share)
            where V : struct, ILane<V>
            => V.MultiplyAdd(share, a - b, b);
    }

    internal readonly struct Rest : IBinaryOp
    {
        public V Invoke<V>(V dy, V share)
            where V : struct, ILane<V>
            => dy * (V.Constant(1) - share);
    }

    internal readonly struct Product : ITernaryOp
    {
        public V Invoke<V>(V dy, V a, V b)
            where V : struct, ILane<V>
            => dy * (a - b);
    }
}
