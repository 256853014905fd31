using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>A contiguous copy of x, its dimensions of length 1 repeated to fit a shape. dx = Σ dy over what was repeated.</summary>
public sealed class BroadcastOp : Op
{
    public override string Name => "broadcast";

    public static Tensor Record(Tape tape, Tensor x, params ReadOnlySpan<int> shape)
    {
        Layout output = Layout.Of(shape);
        _ = x.Layout.BroadcastTo(output);
        return x.Layout.Rank == output.Rank
            ? tape.Record(new BroadcastOp(), [x], output)
            : throw new ArgumentException($"broadcast: {x} to {output}; expected as many dimensions");
    }

    /// <summary>A contiguous copy of any view.</summary>
    public static Tensor Contiguous(Tape tape, Tensor x) => x.Layout.IsContiguous ? x : Record(tape, x, x.Layout.ToShape());

    public override bool BackwardReadsInput(int input) => false;

    public override void Forward(Backend backend, OpCall call) => backend.Copy(call.Input(0), call.Output(0));

    public override void Backward(Backend backend, OpCall call) =>
        Reduction.Sum(backend, call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0), call.Scratch);

    public override long BackwardScratchBytes(Node node) => Reduction.ScratchBytes(node.Inputs[0].Type, node.Inputs[0].Layout.Count);

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("broadcast [2, 1, 5] to [2, 3, 5]", [OpInput.Real(2, 1, 5)],
            (tape, t) => Record(tape, t[0], 2, 3, 5), a => [.. Enumerable.Range(0, 30).Select(i => a[0][i / 15 * 5 + i % 5])]);
        yield return new OpCase("contiguous of permuted [3, 4, 5]", [OpInput.Real(3, 4, 5)],
            (tape, t) => Contiguous(tape, t[0].Permute(2, 0, 1)), a => [.. Enumerable.Range(0, 60).Select(i => a[0][i % 12 * 5 + i / 12])]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int time, int h, int d) = (s.Batch, s.Time, s.Heads, s.HeadDim);
        yield return new OpCase($"broadcast {s.Name} heads first [{b}, {time}, {h}, {d}]", [OpInput.Real(b, time, h, d)],
            (tape, t) => Contiguous(tape, t[0].Permute(0, 2, 1, 3)),
            a => [.. Enumerable.Range(0, b * time * h * d).Select(i => a[0][((i / (h * time * d) * time + i / d % time) * h + i / (time * d) % h) * d + i % d])]);
    }
}
