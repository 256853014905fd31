using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>
/// A depthwise causal convolution along time, y[t, c] = bias[c] + Σ_k weight[c, k] · x[t − K + 1 + k, c], over no beginning: see <see cref="ConvolutionCall"/>.
/// x, y [B, T, C], weight [C, K], bias [C] or none, continues [B, T] or none.
/// </summary>
public sealed class ConvolutionOp(IKernel<ConvolutionCall> kernel, IKernel<ConvolutionBackwardCall>? backward) : Op
{
    private const int X = 0, Weight = 1, Bias = 2, Continues = 3, State = 4, Counts = 5;

    public override string Name => "convolution";

    /// <summary>Decoding replaces its state.</summary>
    public override bool HasSideEffects => backward is null;

    public static Tensor Record(Tape tape, Tensor x, Tensor weight, Tensor bias = default, Tensor continues = default)
    {
        Check(x, weight);
        var op = new ConvolutionOp(tape.Backend.Require<ConvolutionCall>(), tape.Backend.Require<ConvolutionBackwardCall>());
        return tape.Record(op, [x, weight, bias, continues, default, default], x.Layout);
    }

    /// <summary>
    /// Goes on after the K − 1 inputs in <paramref name="state"/> [B, K − 1, C] by <paramref name="counts"/>[b] places of each row and leaves the last inputs
    /// there; no gradient. The state has the type of x; none where K is 1.
    /// </summary>
    public static Tensor Decode(Tape tape, Tensor x, Tensor weight, Tensor bias, Tensor state, Tensor counts, Tensor continues = default)
    {
        Check(x, weight);
        return tape.Record(new ConvolutionOp(tape.Backend.Require<ConvolutionCall>(), null), [x, weight, bias, continues, state, counts], x.Layout);
    }

    public override bool IsDifferentiable(int input) => backward is not null && input is X or Weight or Bias;

    public override bool BackwardReadsInput(int input) => input is X or Weight or Continues;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new ConvolutionCall
    {
        X = call.Input(X),
        Weight = call.Input(Weight),
        Bias = call.Input(Bias),
        Y = call.Output(0),
        Continues = call.Input(Continues),
        State = call.Input(State),
        Counts = call.Input(Counts),
    });

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, Weight);
        call.ZeroUnlessAccumulating(backend, Bias);
        backward!.Run(Gradients(call));
    }

    public override long BackwardScratchBytes(Node node) => backward!.ScratchBytes(Gradients(OpCall.OfShapes(node)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int b, int t, int c, int k) in new[] { (1, 1, 1, 1), (2, 5, 3, 4), (1, 70, 9, 4), (2, 9, 67, 3), (1, 23, 17, 9), (2, 4, 8, 7) })
        {
            yield return new OpCase($"convolution [{b}, {t}, {c}] of {k}", [OpInput.Real(b, t, c), OpInput.Weight(c, k)],
                (tape, x) => Record(tape, x[0], x[1]), v => Reference(v, b, t, c, k, null));
            double[] continues = [.. Enumerable.Range(0, b * t).Select(i => i % 11 == 7 || i % 13 == 2 ? 0.0 : 1)];
            yield return new OpCase($"convolution of documents [{b}, {t}, {c}] of {k}",
                [OpInput.Real(b, t, c), OpInput.Weight(c, k), OpInput.Weight(c), new OpInput([b, t]) { Values = continues }],
                (tape, x) => Record(tape, x[0], x[1], x[2], x[3]), v => Reference(v, b, t, c, k, continues));
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int t, int c, int k) = (s.Batch, s.Time, s.Width, 4);
        yield return new OpCase($"convolution {s.Name} [{b}, {t}, {c}] of {k}", [OpInput.Real(b, t, c), OpInput.Weight(c, k)],
            (tape, x) => Record(tape, x[0], x[1]), v => Reference(v, b, t, c, k, null));
    }

    private static ConvolutionBackwardCall Gradients(OpCall call) => new()
    {
        X = call.Input(X),
        Weight = call.Input(Weight),
        DY = call.OutputGradient(0),
        Continues = call.Input(Continues),
        DX = call.InputGradient(X),
        AccumulateX = call.Accumulates(X),
        DWeight = call.InputGradient(Weight),
        DBias = call.InputGradient(Bias),
        Scratch = call.Scratch,
    };

    private static void Check(Tensor x, Tensor weight)
    {
        if (x.Layout.Rank != 3 || weight.Layout.Rank != 2 || weight[0] != x[2])
        {
            throw new ArgumentException($"convolution: x {x} and weight {weight}; expected [B, T, C] and [C, K]");
        }
    }

    private static double[] Reference(double[][] v, int batch, int time, int width, int taps, double[]? continues)
    {
        var y = new double[batch * time * width];
        for (int i = 0; i < y.Length; i++)
        {
            int c = i % width, t = i / width % time, row = i / width / time * time;
            double reaches = 1;
            y[i] = continues is null ? 0 : v[2][c];
            for (int back = 0; back < taps && back <= t; back++)
            {
                y[i] += reaches * v[1][c * taps + taps - 1 - back] * v[0][(row + t - back) * width + c];
                reaches *= continues is null ? 1 : continues[row + t - back];
            }
        }

        return y;
    }
}
