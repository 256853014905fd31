using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = factor · x Wᵀ (+ bias) (+ residual). x [.., K], W [N, K], bias [N], residual and y [.., N].
/// dx = factor · dy W, dW += factor · dyᵀ x, dBias += Σ dy, dResidual = dy.
/// </summary>
public class LinearOp(double factor = 1) : Op
{
    private protected const int X = 0, W = 1, Bias = 2, Residual = 3;

    public override string Name => "linear";

    public static Tensor Record(Tape tape, Tensor x, Tensor weight, Tensor bias = default, Tensor residual = default, double factor = 1)
    {
        if (weight.Layout.Rank != 2 || x[-1] != weight[1] || !x.Layout.IsContiguous)
        {
            throw new ArgumentException($"linear: x {x} and weight {weight}; expected contiguous [.., K] and [N, K]");
        }

        int[] shape = x.Layout.ToShape();
        shape[^1] = weight[0];
        Layout output = Layout.Of(shape);
        if (!residual.IsNone && !residual.Layout.SameShape(output))
        {
            throw new ArgumentException($"linear: residual {residual}; expected {output}");
        }

        return tape.Record(new LinearOp(factor), [x, weight, bias, residual], output);
    }

    /// <summary>Gives the product that was recorded last a residual; false where <paramref name="output"/> is not its result or it has one.</summary>
    internal static bool TryAddResidual(Tape tape, Tensor output, Tensor residual) =>
        tape.Nodes is [.., { Op: LinearOp } last]
        && last.Outputs[0].Id == output.Id
        && last.Inputs[Residual].IsNone
        && residual.Layout == output.Layout
        && tape.TryReplaceLastInput(Residual, residual);

    public override bool BackwardReadsInput(int input, Func<int, bool> wants) => input switch { X => wants(W), W => wants(X), _ => false };

    public override bool PassesGradient(int input) => input == Residual;

    public override bool IsProduct => true;

    public override void Forward(Backend backend, OpCall call) => backend.MatMul(ForwardProduct(call));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => backend.PrepareMatMul(ForwardProduct(call));

    public override MatMulArgs ForwardProduct(OpCall call) => new()
    {
        A = Flat(call.Input(X)),
        B = call.Input(W),
        TransposeB = true,
        Alpha = factor,
        Bias = call.Input(Bias),
        Residual = Flat(call.Input(Residual)),
        Y = Flat(call.Output(0)),
        Rounding = call.Rounding,
    };

    public override void Backward(Backend backend, OpCall call)
    {
        Gradients(backend, call, Flat(call.OutputGradient(0)), X, W, factor);
        GradientsOfAdded(backend, call);
    }

    /// <summary>The gradients of bias and residual, where they are wanted.</summary>
    private protected static void GradientsOfAdded(Backend backend, OpCall call)
    {
        if (!call.InputGradient(Bias).IsNone)
        {
            View dBias = call.InputGradient(Bias);
            backend.Sum(Flat(call.OutputGradient(0)), dBias.With(Layout.Of(1, dBias.Layout[0])), call.Accumulates(Bias));
        }

        call.PassGradient(backend, Residual);
    }

    /// <summary>The gradients of an input x and its matrix W, where they are wanted: dx = factor · dy W, dW += factor · dyᵀ x.</summary>
    internal static void Gradients(Backend backend, OpCall call, in View dy, int x, int w, double factor = 1)
    {
        MatMulArgs dx = new()
        {
            A = dy, B = call.Input(w), Alpha = factor, Y = Flat(call.InputGradient(x)), Accumulate = call.Accumulates(x), Rounding = call.Rounding,
        };
        TogetherWhereWanted(backend, dx, WeightGradient(call, dy, x, w, factor));
    }

    /// <summary>dW += factor · dyᵀ x.</summary>
    internal static MatMulArgs WeightGradient(OpCall call, in View dy, int x, int w, double factor = 1) => new()
    {
        A = dy, TransposeA = true, B = Flat(call.Input(x)), Alpha = factor, Y = call.InputGradient(w), Accumulate = call.Accumulates(w), Rounding = call.Rounding,
    };

    /// <summary>Two products that do not need each other; one without y is not wanted.</summary>
    internal static void TogetherWhereWanted(Backend backend, in MatMulArgs first, in MatMulArgs second) =>
        backend.MatMulTogether(first.Y.IsNone ? second.Y.IsNone ? [] : [second] : second.Y.IsNone ? [first] : [first, second]);

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int k, int n) in new[] { (1, 1, 1), (3, 5, 7), (17, 33, 19), (65, 64, 31), (2, 300, 140), (130, 300, 70) })
        {
            yield return new OpCase($"linear [{rows}, {k}] x [{n}, {k}]", [OpInput.Real(rows, k), OpInput.Weight(n, k)],
                (tape, t) => Record(tape, t[0], t[1]), a => Reference(a[0], a[1], rows, k, n, (_, _) => 0));
        }

        yield return new OpCase("linear bias residual", [OpInput.Real(2, 9, 13), OpInput.Weight(11, 13), OpInput.Weight(11), OpInput.Real(2, 9, 11)],
            (tape, t) => Record(tape, t[0], t[1], t[2], t[3]), a => Reference(a[0], a[1], 18, 13, 11, (i, j) => a[2][j] + a[3][i * 11 + j]));
        yield return new OpCase("linear factor bias", [OpInput.Real(3, 5), OpInput.Weight(4, 5), OpInput.Weight(4)],
            (tape, t) => Record(tape, t[0], t[1], t[2], factor: -0.75), a => [.. Reference(a[0], a[1], 3, 5, 4, (_, _) => 0).Select((y, i) => -0.75 * y + a[2][i % 4])]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        foreach ((string part, int rows, int k, int n) in new[]
        {
            ("out", s.Tokens, s.Width, s.Width), ("up", s.Tokens, s.Width, s.Hidden), ("down", s.Tokens, s.Hidden, s.Width),
            ("decode", 1, s.Width, s.Hidden), ("decode", 2, s.Width, s.Hidden), ("decode", 4, s.Width, s.Hidden), ("decode", 8, s.Width, s.Hidden),
        })
        {
            yield return new OpCase($"linear {s.Name} {part} [{rows}, {k}] x [{n}, {k}]", [OpInput.Real(rows, k), OpInput.Weight(n, k)],
                (tape, t) => Record(tape, t[0], t[1]), a => Reference(a[0], a[1], rows, k, n, (_, _) => 0))
            { CheckGradient = part != "decode" };
        }
    }

    internal static View Flat(in View view) => view.IsNone || view.Layout.Rank == 2
        ? view
        : view.With(view.Layout.Reshape(checked((int)view.Layout.Rows), view.Layout[-1]));

    internal static double[] Reference(double[] x, double[] w, int rows, int k, int n, Func<int, int, double> added)
    {
        var y = new double[rows * n];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < n; j++)
            {
                y[i * n + j] = added(i, j);
                for (int p = 0; p < k; p++)
                {
                    y[i * n + j] += x[i * k + p] * w[j * k + p];
                }
            }
        }

        return y;
    }
}
