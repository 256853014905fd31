using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>y = softmax(scale · x) over the last dimension, over the entries that are visible. dx = scale · y ⊙ (dy − Σ dy ⊙ y).</summary>
public sealed class SoftmaxOp(double scale, Visibility visibility) : Op
{
    public override string Name => "softmax";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[.., T, S].</param>
    /// <param name="scale">Factor on x.</param>
    /// <param name="visibility">What rows see; the first dimension of x is the batch, those between it and T are heads.</param>
    public static Tensor Record(Tape tape, Tensor x, double scale = 1, Visibility visibility = default) =>
        tape.Record(new SoftmaxOp(scale, visibility), [x, .. visibility.Inputs], x.Layout);

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => false;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call) => backend.Softmax(call.Input(0), call.Output(0), scale, visibility.At(call, 1));

    public override void Backward(Backend backend, OpCall call) =>
        backend.SoftmaxBackward(call.Output(0), call.OutputGradient(0), call.InputGradient(0), scale, call.Accumulates(0));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach (int width in new[] { 1, 7, 33, 257 })
        {
            yield return new OpCase($"softmax [3, {width}]", [new OpInput([3, width], -4, 4)],
                (tape, t) => Record(tape, t[0], 0.7), a => Reference(a[0], 3, width, 0.7, (_, _) => true));
        }

        yield return new OpCase("softmax windowed", [new OpInput([2, 3, 11, 11], -4, 4)],
            (tape, t) => Record(tape, t[0], 0.5, Visibility.Causal with { Window = 3, Sinks = 1 }),
            a => Reference(a[0], 66, 11, 0.5, (row, j) => j <= row % 11 && (row % 11 - j < 3 || j < 1)));
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int h, int time) = (s.Heads, s.Time);
        yield return new OpCase($"softmax {s.Name} causal [1, {h}, {time}, {time}]", [new OpInput([1, h, time, time], -4, 4)],
            (tape, t) => Record(tape, t[0], 0.5, Visibility.Causal), a => Reference(a[0], h * time, time, 0.5, (row, j) => j <= row % time));
        yield return new OpCase($"softmax {s.Name} router [{s.Tokens}, {BlockShape.Experts}]", [new OpInput([s.Tokens, BlockShape.Experts], -4, 4)],
            (tape, t) => Record(tape, t[0]), a => Reference(a[0], s.Tokens, BlockShape.Experts, 1, (_, _) => true));
    }

    private static double[] Reference(double[] x, int rows, int width, double scale, Func<int, int, bool> isVisible)
    {
        var y = new double[x.Length];
        for (int row = 0; row < rows; row++)
        {
            double sum = 0;
            for (int j = 0; j < width; j++)
            {
                sum += y[row * width + j] = isVisible(row, j) ? Math.Exp(scale * x[row * width + j]) : 0;
            }

            for (int j = 0; j < width; j++)
            {
                y[row * width + j] /= sum;
            }
        }

        return y;
    }
}
