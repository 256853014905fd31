using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = x[.., ..D] / x[.., D]: weighted sums divided by the sum of their weights, which came along as one element more (see <see cref="WithOneOp"/>).
/// x [.., D + 1], y [.., D]. With s = x[.., D]: dx[.., ..D] = dy / s, ds = −Σ dy ⊙ y / s. A sum of 0 counts as 1e-30, so that no weight at all gives 0.
/// </summary>
public sealed class NormalizedOp : Op
{
    public override string Name => "normalized";

    public static Tensor Record(Tape tape, Tensor x)
    {
        int[] shape = x.Layout.ToShape();
        shape[^1]--;
        return shape[^1] > 0
            ? tape.Record(new NormalizedOp(), [x], Layout.Of(shape))
            : throw new ArgumentException($"normalized: x {x}; expected [.., D + 1]");
    }

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call)
    {
        ref readonly View x = ref call.Input(0);
        backend.Zip(default(Quotient), Values(x), Sum(x), call.Output(0));
    }

    public override void Backward(Backend backend, OpCall call)
    {
        ref readonly View dy = ref call.OutputGradient(0);
        View sum = Sum(call.Input(0)), dx = call.InputGradient(0);
        View products = call.Scratch.As(dy.Type, dy.Layout, Reduction.ScratchBytes(dy.Type, sum.Count) / dy.Type.Size());
        backend.Zip(default(NegativeProductQuotient), dy, call.Output(0), sum, products);
        backend.Zip(default(Quotient), dy, sum, Values(dx), call.Accumulates(0));
        Reduction.Sum(backend, products, Sum(dx), call.Accumulates(0), call.Scratch);
    }

    public override long BackwardScratchBytes(Node node)
    {
        Layout y = node.Outputs[0].Layout;
        return Reduction.ScratchBytes(node.Outputs[0].Type, y.Rows) + y.Count * node.Outputs[0].Type.Size();
    }

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("normalized [3, 5, 8]", [new OpInput([3, 5, 8], 0.5, 2)], (tape, t) => Record(tape, t[0]), Reference(8));
        yield return new OpCase("with one [3, 5, 7]", [OpInput.Real(3, 5, 7)],
            (tape, t) => WithOneOp.Record(tape, t[0]), a => [.. a[0].Chunk(7).SelectMany(row => row.Append(1))]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"normalized {s.Name} [{s.Tokens}, {s.Heads}, {s.HeadDim + 1}]", [new OpInput([s.Tokens, s.Heads, s.HeadDim + 1], 0.5, 2)],
            (tape, t) => Record(tape, t[0]), Reference(s.HeadDim + 1));
        yield return new OpCase($"with one {s.Name} [{s.Tokens}, {s.Heads}, {s.HeadDim}]", [OpInput.Real(s.Tokens, s.Heads, s.HeadDim)],
            (tape, t) => WithOneOp.Record(tape, t[0]), a => [.. a[0].Chunk(s.HeadDim).SelectMany(row => row.Append(1))]);
    }

    internal readonly struct Quotient : IBinaryOp
    {
        public V Invoke<V>(V x, V sum)
            where V : struct, ILane<V>
            => x / V.Max(sum, V.Constant(1e-30));
    }

    internal readonly struct NegativeProductQuotient : ITernaryOp
    {
        public V Invoke<V>(V dy, V y, V sum)
            where V : struct, ILane<V>
            => -(dy * y) / V.Max(sum, V.Constant(1e-30));
    }

    private static View Values(in View x) => Part(x, 0, x.Layout[-1] - 1);

    private static View Sum(in View x) => Part(x, x.Layout[-1] - 1, 1);

    private static View Part(in View x, int start, int length) => x.With(x.Layout.Slice(x.Layout.Rank - 1, start, length, out long offset), offset);

    private static Func<double[][], double[]> Reference(int width) => a => [.. a[0].Chunk(width).SelectMany(row => row[..^1].Select(v => v / row[^1]))];
}

/// <summary>y = [x, 1]: one element more per row, in which sums of weights come along with weighted sums. x [.., D], y [.., D + 1]; dx = dy[.., ..D].</summary>
public sealed class WithOneOp : Op
{
    public override string Name => "with-one";

    public static Tensor Record(Tape tape, Tensor x)
    {
        int[] shape = x.Layout.ToShape();
        shape[^1]++;
        return tape.Record(new WithOneOp(), [x], Layout.Of(shape));
    }

    public override bool BackwardReadsInput(int input) => false;

    public override void Forward(Backend backend, OpCall call)
    {
        ref readonly View y = ref call.Output(0);
        int width = y.Layout[-1] - 1;
        backend.Copy(call.Input(0), Part(y, 0, width));
        backend.Fill(Part(y, width, 1), 1);
    }

    public override void Backward(Backend backend, OpCall call) =>
        backend.Copy(Part(call.OutputGradient(0), 0, call.OutputGradient(0).Layout[-1] - 1), call.InputGradient(0), call.Accumulates(0));

    private static View Part(in View y, int start, int length) => y.With(y.Layout.Slice(y.Layout.Rank - 1, start, length, out long offset), offset);
}
