using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Causal attention y = softmax(scale · q kᵀ) v with grouped heads, window, sinks and documents. q, y [B, T, H, D], k, v [B, T, G, D].
/// Fused it never holds T × T; where the backend lacks the kernel it is composed of products and a softmax.
/// </summary>
public sealed class AttentionOp(IKernel<AttentionCall> kernel, IKernel<AttentionBackwardCall> backwardKernel, double scale, CausalMask mask) : Op
{
    private const int Q = 0, K = 1, V = 2, Documents = 3;

    public override string Name => "attention";

    public static Tensor Record(Tape tape, Tensor q, Tensor k, Tensor v, double scale, CausalMask mask, Tensor documents = default)
    {
        CheckShapes("attention", q, k, v);
        if (tape.Backend.Find<AttentionCall>() is not { } kernel)
        {
            return Weigh(tape, Pattern(tape, q, k, scale, mask, documents), v);
        }

        Layout logSumExp = Layout.Of(q[0], q[2], q[1]);
        var op = new AttentionOp(kernel, tape.Backend.Require<AttentionBackwardCall>(), scale, mask);
        return tape.Record(op, [q, k, v, documents], [(q.Layout, tape.Type), (logSumExp, tape.Type.Sum())])[0];
    }

    /// <summary>The weights themselves, [B, H, T, T]: for readers and composed paths.</summary>
    public static Tensor Pattern(Tape tape, Tensor q, Tensor k, double scale, CausalMask mask, Tensor documents = default, int topK = 0)
    {
        Tensor queries = BroadcastOp.Contiguous(tape, q.Permute(0, 2, 1, 3));
        Tensor scores = MatMulOp.Record(tape, queries, PerQueryHead(tape, k, q[2]), transposeB: true);
        Tensor pattern = SoftmaxOp.Record(tape, scores, scale, mask, documents);
        return topK > 0 ? KeepLargestOp.Record(tape, pattern, topK) : pattern;
    }

    public override bool IsDifferentiable(int input) => input != Documents;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new AttentionCall(Args(call)));

    public override void Backward(Backend backend, OpCall call) => backwardKernel.Run(new AttentionBackwardCall(Args(call), Gradients(call)));

    public override long BackwardScratchBytes(Node node)
    {
        OpCall shapes = OpCall.OfShapes(node);
        return backwardKernel.ScratchBytes(new AttentionBackwardCall(Args(shapes), Gradients(shapes)));
    }

    internal static AttentionGradients Gradients(OpCall call) => new()
    {
        DY = call.OutputGradient(0),
        DQ = call.InputGradient(Q),
        DK = call.InputGradient(K),
        DV = call.InputGradient(V),
        AccumulateQ = call.Accumulates(Q),
        AccumulateK = call.Accumulates(K),
        AccumulateV = call.Accumulates(V),
        Scratch = call.Scratch,
    };

    internal static void CheckShapes(string name, Tensor q, Tensor k, Tensor v)
    {
        bool fits = q.Layout.Rank == 4 && k.Layout.Rank == 4 && k.Layout.SameShape(v.Layout)
            && q[0] == k[0] && q[1] == k[1] && q[3] == k[3] && q[2] % k[2] == 0;
        if (!fits)
        {
            throw new ArgumentException($"{name}: q {q}, k {k}, v {v}; expected [B, T, H, D] and twice [B, T, G, D] with H a multiple of G");
        }
    }

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int b, int t, int h, int g, int d, CausalMask mask) in new[]
        {
            (1, 1, 1, 1, 2, new CausalMask()), (2, 7, 2, 2, 5, new CausalMask()), (1, 33, 4, 2, 8, new CausalMask()),
            (1, 67, 2, 1, 16, new CausalMask()), (2, 21, 2, 1, 4, new CausalMask(5)), (1, 40, 2, 2, 4, new CausalMask(6, 3)),
            (1, 130, 3, 1, 32, new CausalMask(50, 1)),
        })
        {
            yield return new OpCase($"attention [{b}, {t}, {h}/{g}, {d}] {mask}", [OpInput.Real(b, t, h, d), OpInput.Real(b, t, g, d), OpInput.Real(b, t, g, d)],
                (tape, x) => Record(tape, x[0], x[1], x[2], 1 / Math.Sqrt(d), mask),
                a => Reference(a, b, t, h, g, d, (_, i, j) => mask.IsVisible(i, j)))
            { Tolerance = 5e-6 };
        }

        double[] documents = [0, 0, 0, 1, 1, 1, 1, 2, 2, 0, 1, 1, 1, 1, 1, 1, 1, 1];
        yield return new OpCase("attention within documents",
            [OpInput.Real(2, 9, 2, 4), OpInput.Real(2, 9, 2, 4), OpInput.Real(2, 9, 2, 4), new OpInput([2, 9]) { IsInteger = true, Values = documents }],
            (tape, x) => Record(tape, x[0], x[1], x[2], 0.5, new CausalMask(), x[3]),
            a => Reference(a, 2, 9, 2, 2, 4, (b, i, j) => j <= i && documents[b * 9 + i] == documents[b * 9 + j]))
        { Tolerance = 5e-6 };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int b, int t, int h, int d) = (s.Batch, s.Time, s.Heads, s.HeadDim);
        foreach ((string part, int g, CausalMask mask) in new[]
        {
            ("causal", h, new CausalMask()), ("grouped", h / 2, new CausalMask()), ("window", h, new CausalMask(t / 4)),
        })
        {
            yield return new OpCase($"attention {s.Name} {part} [{b}, {t}, {h}/{g}, {d}]", [OpInput.Real(b, t, h, d), OpInput.Real(b, t, g, d), OpInput.Real(b, t, g, d)],
                (tape, x) => Record(tape, x[0], x[1], x[2], 1 / Math.Sqrt(d), mask),
                a => Reference(a, b, t, h, g, d, (_, i, j) => mask.IsVisible(i, j)))
            { Tolerance = 5e-6 };
        }
    }

    /// <summary>Naive attention; with <paramref name="keep"/> &gt; 0 over the largest scores of a row only; the scale is 1/√D where none is given.</summary>
    internal static double[] Reference(double[][] a, int batch, int time, int heads, int keyHeads, int d, Func<int, int, int, bool> isVisible, int keep = 0, double? scale = null)
    {
        var y = new double[batch * time * heads * d];
        for (int row = 0; row < batch * time * heads; row++)
        {
            int b = row / (time * heads), t = row / heads % time, g = row % heads / (heads / keyHeads);
            var scores = new List<(double Score, int Key)>();
            for (int j = 0; j <= t; j++)
            {
                int key = ((b * time + j) * keyHeads + g) * d;
                if (isVisible(b, t, j))
                {
                    scores.Add((Enumerable.Range(0, d).Sum(i => a[0][row * d + i] * a[1][key + i]) * (scale ?? 1 / Math.Sqrt(d)), key));
                }
            }

            if (keep > 0)
            {
                scores = [.. scores.OrderByDescending(s => s.Score).ThenBy(s => s.Key).Take(keep)];
            }

            double sum = scores.Sum(s => Math.Exp(s.Score));
            foreach ((double score, int key) in scores)
            {
                for (int i = 0; i < d; i++)
                {
                    y[row * d + i] += Math.Exp(score) / sum * a[2][key + i];
                }
            }
        }

        return y;
    }

    private AttentionArgs Args(OpCall call) => new()
    {
        Q = call.Input(Q),
        K = call.Input(K),
        V = call.Input(V),
        Y = call.Output(0),
        LogSumExp = call.Output(1),
        Scale = scale,
        Visible = mask.With(call.Input(Documents)),
    };

    /// <summary>pattern · v, [B, H, T, T] and [B, T, G, D] to [B, T, H, D].</summary>
    internal static Tensor Weigh(Tape tape, Tensor pattern, Tensor v)
    {
        Tensor y = MatMulOp.Record(tape, pattern, PerQueryHead(tape, v, pattern[1]));
        return BroadcastOp.Contiguous(tape, y.Permute(0, 2, 1, 3));
    }

    // [B, T, G, D] copied to [B, H, T, D], each key head repeated for its query heads.
    private static Tensor PerQueryHead(Tape tape, Tensor x, int heads)
    {
        Tensor grouped = x.SplitLast(1).Permute(0, 2, 3, 1, 4);
        return BroadcastOp.Record(tape, grouped, x[0], x[2], heads / x[2], x[1], x[3]).Reshape(x[0], heads, x[1], x[3]);
    }
}
