using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Residuals;

namespace NanoFold.Engine.Ops;

/// <summary>
/// The coefficients of hyper-connections (arXiv 2409.19606, doubly stochastic as in 2512.24880) of streams x [B, T, n, C], of y = x φᵀ [B, T, 2n + n²], α [3] and
/// b [2n + n²]: with z = y · rsqrt(mean(x²) + ε) over all streams of a token, pre = σ(α₀ z + b) [B, T, n], post = 2 σ(α₁ z + b) [B, T, n] and
/// res = Sinkhorn(α₂ z + b) [B, T, n, n], in the type of sums. Sinkhorn: exp, then as many rounds of dividing rows, then columns, by their sums; without rounds
/// res = α₂ z + b. The gradient goes back through the rounds.
/// </summary>
public sealed class StreamGatesOp(Backend backend, double epsilon, int rounds) : Op
{
    private const int X = 0, Y = 1, Alpha = 2, Bias = 3, Parts = 3, Statistics = 3;

    private readonly IKernel<StreamGatesCall> _forward = backend.Require<StreamGatesCall>();
    private readonly IKernel<StreamGatesBackwardCall> _backward = backend.Require<StreamGatesBackwardCall>();

    public override string Name => "stream-gates";

    public static (Tensor Pre, Tensor Post, Tensor Res) Record(Tape tape, Tensor x, Tensor y, Tensor alpha, Tensor bias, double epsilon, int rounds)
    {
        int n = x[2];
        if (x.Layout.Rank != 4 || y[-1] != n * (n + 2) || alpha.Layout.Count != Parts || bias.Layout.Count != y[-1])
        {
            throw new ArgumentException($"stream-gates: x {x}, y {y}, α {alpha} and b {bias}; expected [B, T, n, C], [B, T, 2n + n²], [3] and [2n + n²]");
        }

        DType type = tape.Type.Sum();
        Tensor[] outputs = tape.Record(
            new StreamGatesOp(tape.Backend, epsilon, rounds), [x, y, alpha, bias],
            [(Layout.Of(x[0], x[1], n), type), (Layout.Of(x[0], x[1], n), type), (Layout.Of(x[0], x[1], n, n), type), (Layout.Of(x[0] * x[1]), type)]);
        return (outputs[0], outputs[1], outputs[2]);
    }

    public override bool BackwardReadsOutput(int output) => output == Statistics;

    public override void Forward(Backend backend, OpCall call) => _forward.Run(new StreamGatesCall(
        Streams(call.Input(X)), call.Input(Y), call.Input(Alpha), call.Input(Bias), call.Output(0), call.Output(1), call.Output(2), call.Output(Statistics), epsilon, rounds));

    public override void Backward(Backend backend, OpCall call)
    {
        ref readonly View x = ref call.Input(X);
        int tokens = x.Layout[0] * x.Layout[1], values = call.Input(Y).Layout[-1];
        View sums = call.Scratch.With(Layout.Of(tokens, values + Parts));
        _backward.Run(new StreamGatesBackwardCall(
            Streams(x), call.Input(Y), call.Input(Alpha), call.Input(Bias), call.Output(Statistics), call.OutputGradient(0), call.OutputGradient(1), call.OutputGradient(2),
            Streams(call.InputGradient(X)), call.Accumulates(X), call.InputGradient(Y), call.Accumulates(Y), sums, rounds));
        AddUp(backend, call, Alpha, sums, values, Parts);
        AddUp(backend, call, Bias, sums, 0, values);
    }

    public override long BackwardScratchBytes(Node node)
    {
        Tensor x = node.Inputs[X];
        return (long)x[0] * x[1] * (node.Inputs[Y][-1] + Parts) * x.Type.Sum().Size();
    }

    internal static IEnumerable<OpCase> Cases()
    {
        yield return Case("", 1, 3, 2, 9, 1);
        yield return Case("", 2, 9, 3, 5, 4);
        yield return Case("", 1, 17, 4, 6, 0);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) => [Case(s.Name + " ", s.Batch, s.Time, 4, s.Width, 20)];

    private static OpCase Case(string shape, int batch, int time, int n, int width, int rounds) => new(
        $"stream-gates {shape}[{batch}, {time}, {n}, {width}] in {rounds} rounds",
        [OpInput.Real(batch, time, n, width), OpInput.Real(batch, time, n * (n + 2)), OpInput.Weight(Parts), OpInput.Weight(n * (n + 2))],
        (tape, t) =>
        {
            (Tensor pre, Tensor post, Tensor res) = Record(tape, t[0], t[1], t[2], t[3], 1e-5, rounds);
            return (Tensor[])[pre, post, res];
        },
        a => Reference(a[0], a[1], a[2], a[3], batch * time, n, width, rounds));

    private static View Streams(in View view) => view.IsNone ? view : view.With(view.Layout.Reshape(view.Layout[0] * view.Layout[1], view.Layout[2], view.Layout[3]));

    private static void AddUp(Backend backend, OpCall call, int input, in View sums, int start, int count)
    {
        ref readonly View gradient = ref call.InputGradient(input);
        if (!gradient.IsNone)
        {
            Layout columns = sums.Layout.Slice(1, start, count, out long offset);
            backend.Sum(sums.With(columns, offset), gradient.With(Layout.Of(1, count)), call.Accumulates(input));
        }
    }

    private static double[] Reference(double[] x, double[] y, double[] alpha, double[] bias, int tokens, int n, int width, int rounds)
    {
        double[][] logits = [.. Enumerable.Range(0, tokens).Select(t =>
        {
            double inverse = 1 / Math.Sqrt(x[(t * n * width)..((t + 1) * n * width)].Average(v => v * v) + 1e-5);
            return bias.Select((b, k) => (alpha[Math.Min(k / n, 2)] * y[(t * bias.Length) + k] * inverse) + b).ToArray();
        })];
        return
        [
            .. logits.SelectMany(l => l[..n].Select(v => 1 / (1 + Math.Exp(-v)))),
            .. logits.SelectMany(l => l[n..(2 * n)].Select(v => 2 / (1 + Math.Exp(-v)))),
            .. logits.SelectMany(l => Sinkhorn(l[(2 * n)..], n, rounds)),
        ];
    }

    private static double[] Sinkhorn(double[] logits, int n, int rounds)
    {
        double[] m = rounds > 0 ? [.. logits.Select(Math.Exp)] : logits;
        for (int round = 0; round < rounds; round++)
        {
            m = [.. m.Select((v, k) => v / Enumerable.Range(0, n).Sum(j => m[(k / n * n) + j]))];
            m = [.. m.Select((v, k) => v / Enumerable.Range(0, n).Sum(i => m[(i * n) + (k % n)]))];
        }

        return m;
    }
}
