using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>
/// The sum of two linear layers in one pass: y = x Wᵀ (+ bias) + h Uᵀ. x [.., K], W [N, K], bias [N], h [.., R], U [N, R], y [.., N].
/// dx = dy W, dW += dyᵀ x, dBias += Σ dy, dh = dy U, dU += dyᵀ h.
/// </summary>
public sealed class LinearSumOp : Op
{
    private const int X = 0, W = 1, Bias = 2, H = 3, U = 4;

    public override string Name => "linear-sum";

    public static Tensor Record(Tape tape, Tensor x, Tensor weight, Tensor bias, Tensor h, Tensor up)
    {
        bool fits = weight.Layout.Rank == 2 && up.Layout.Rank == 2 && x[-1] == weight[1] && h[-1] == up[1] && up[0] == weight[0];
        if (!fits || !x.Layout.IsContiguous || !h.Layout.IsContiguous || x.Layout.Rows != h.Layout.Rows)
        {
            throw new ArgumentException($"linear-sum: x {x}, weight {weight}, h {h}, up {up}; expected contiguous [.., K], [N, K], [.., R], [N, R]");
        }

        int[] shape = x.Layout.ToShape();
        shape[^1] = weight[0];
        return tape.Record(new LinearSumOp(), [x, weight, bias, h, up], Layout.Of(shape));
    }

    public override bool BackwardReadsInput(int input, Func<int, bool> wants) => input switch { X => wants(W), W => wants(X), H => wants(U), U => wants(H), _ => false };

    public override void Forward(Backend backend, OpCall call)
    {
        View y = LinearOp.Flat(call.Output(0));
        backend.MatMul(new MatMulArgs
        {
            A = LinearOp.Flat(call.Input(X)), B = call.Input(W), TransposeB = true, Bias = call.Input(Bias), Y = y, Rounding = call.Rounding,
        });
        backend.MatMul(new MatMulArgs
        {
            A = LinearOp.Flat(call.Input(H)), B = call.Input(U), TransposeB = true, Y = y, Accumulate = true, Rounding = call.Rounding,
        });
    }

    public override void Backward(Backend backend, OpCall call)
    {
        View dy = LinearOp.Flat(call.OutputGradient(0));
        LinearOp.Gradients(backend, call, dy, X, W);
        LinearOp.Gradients(backend, call, dy, H, U);
        if (!call.InputGradient(Bias).IsNone)
        {
            View dBias = call.InputGradient(Bias);
            backend.Sum(dy, dBias.With(Layout.Of(1, dBias.Layout[0])), call.Accumulates(Bias));
        }
    }

    internal static IEnumerable<OpCase> Cases() =>
    [
        new OpCase("linear-sum [2, 3, 7] by 2", [OpInput.Real(2, 3, 7), OpInput.Weight(5, 7), OpInput.Weight(5), OpInput.Real(2, 3, 2), OpInput.Weight(5, 2)],
            (tape, t) => Record(tape, t[0], t[1], t[2], t[3], t[4]), a => Reference(a[0], a[1], 6, 7, 5, a[3], a[4], 2, a[2])),
        new OpCase("linear-sum [19, 33] by 8", [OpInput.Real(19, 33), OpInput.Weight(17, 33), OpInput.Real(19, 8), OpInput.Weight(17, 8)],
            (tape, t) => Record(tape, t[0], t[1], default, t[2], t[3]), a => Reference(a[0], a[1], 19, 33, 17, a[2], a[3], 8)),
    ];

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        const int R = 8;
        yield return new OpCase($"linear-sum {s.Name} [{s.Tokens}, {s.Width}] by {R}",
            [OpInput.Real(s.Tokens, s.Width), OpInput.Weight(s.Width, s.Width), OpInput.Real(s.Tokens, R), OpInput.Weight(s.Width, R)],
            (tape, t) => Record(tape, t[0], t[1], default, t[2], t[3]), a => Reference(a[0], a[1], s.Tokens, s.Width, s.Width, a[2], a[3], R));
    }

    private static double[] Reference(double[] x, double[] w, int rows, int k, int n, double[] h, double[] up, int r, double[]? bias = null)
    {
        double[] low = LinearOp.Reference(h, up, rows, r, n, (_, j) => bias?[j] ?? 0);
        return LinearOp.Reference(x, w, rows, k, n, (i, j) => low[i * n + j]);
    }
}
