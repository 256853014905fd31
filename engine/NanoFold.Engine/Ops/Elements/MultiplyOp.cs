using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = a ⊙ b, b broadcast to a (a gate per head: a [.., H, D], b [.., H, 1]). da = dy ⊙ b, db = Σ dy ⊙ a over the broadcast dimensions.
/// </summary>
public sealed class MultiplyOp : Op
{
    public override string Name => "multiply";

    public static Tensor Record(Tape tape, Tensor a, Tensor b)
    {
        _ = b.Layout.BroadcastTo(a.Layout);
        return b.Layout.Rank == a.Layout.Rank
            ? tape.Record(new MultiplyOp(), [a, b], a.Layout)
            : throw new ArgumentException($"multiply: {a} and {b}; expected as many dimensions, of length 1 where broadcast");
    }

    public override void Forward(Backend backend, OpCall call) =>
        backend.Zip(default(Product), call.Input(0), call.Input(1), call.Output(0));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => backend.PrepareZip(default(Product), call.Input(0), call.Input(1), call.Output(0));

    public override void Backward(Backend backend, OpCall call)
    {
        ref readonly View dy = ref call.OutputGradient(0);
        if (!call.InputGradient(0).IsNone)
        {
            backend.Zip(default(Product), dy, call.Input(1), call.InputGradient(0), call.Accumulates(0));
        }

        ref readonly View dB = ref call.InputGradient(1);
        if (dB.IsNone)
        {
            return;
        }

        if (call.Scratch.IsNone)
        {
            backend.Zip(default(Product), dy, call.Input(0), dB, call.Accumulates(1));
            return;
        }

        View products = call.Scratch.As(dy.Type, dy.Layout, Reduction.ScratchBytes(dy.Type, dB.Count) / dy.Type.Size());
        backend.Zip(default(Product), dy, call.Input(0), products);
        Reduction.Sum(backend, products, dB, call.Accumulates(1), call.Scratch);
    }

    public override long BackwardScratchBytes(Node node) => node.Inputs[0].Layout.SameShape(node.Inputs[1].Layout)
        ? 0
        : Reduction.ScratchBytes(node.Outputs[0].Type, node.Inputs[1].Layout.Count) + node.Outputs[0].Layout.Count * node.Outputs[0].Type.Size();

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("multiply [3, 41]", [OpInput.Real(3, 41), OpInput.Real(3, 41)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Zip(a[1], (x, y) => x * y)]);
        yield return new OpCase("multiply by head [2, 3, 5, 7]", [OpInput.Real(2, 3, 5, 7), OpInput.Real(2, 3, 5, 1)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Select((x, i) => x * a[1][i / 7])]);
        yield return new OpCase("multiply by column [9, 13]", [OpInput.Real(9, 13), OpInput.Real(1, 13)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Select((x, i) => x * a[1][i % 13])]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"multiply {s.Name} [{s.Tokens}, {s.Width}]", [OpInput.Real(s.Tokens, s.Width), OpInput.Real(s.Tokens, s.Width)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Zip(a[1], (x, y) => x * y)]);
        yield return new OpCase($"multiply {s.Name} by head [{s.Tokens}, {s.Heads}, {s.HeadDim}]", [OpInput.Real(s.Tokens, s.Heads, s.HeadDim), OpInput.Real(s.Tokens, s.Heads, 1)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Select((x, i) => x * a[1][i / s.HeadDim])]);
    }

    internal readonly struct Product : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a * b;
    }
}
