using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// [gate up] = x [W_gate; W_up]ᵀ (+ bias), and h = f(gate, up): x [.., C], W [2 F, C], bias [2 F], [gate up] [.., 2 F], h [.., F]. What reads h is a
/// <see cref="GatedDownOp"/>, which gives the gradient of [gate up]; the rest of the way back is that of a linear layer.
/// </summary>
public sealed class GatedLinearOp(Backend backend, GateFormula formula) : Op
{
    private const int X = 0, W = 1, Bias = 2;

    private readonly IKernel<GatedLinearCall>? _kernel = backend.Find<GatedLinearCall>();

    public override string Name => "gated-linear";

    /// <summary>Whether a backend has kernels for it: otherwise a product and an op of its own do the same.</summary>
    internal static bool IsWorthwhile(Backend backend) => backend.Find<GatedLinearCall>() is not null && backend.Find<GatedGradientCall>() is not null;

    /// <returns>[gate up] and h.</returns>
    public static (Tensor Gates, Tensor Y) Record(Tape tape, Tensor x, Tensor weight, Tensor bias, GateFormula formula)
    {
        if (weight.Layout.Rank != 2 || x[-1] != weight[1] || weight[0] % 2 > 0 || !x.Layout.IsContiguous)
        {
            throw new ArgumentException($"gated-linear: x {x} and weight {weight}; expected contiguous [.., C] and [2 F, C]");
        }

        int[] shape = x.Layout.ToShape();
        shape[^1] = weight[0];
        Layout gates = Layout.Of(shape);
        shape[^1] = weight[0] / 2;
        Tensor[] made = tape.Record(new GatedLinearOp(tape.Backend, formula), [x, weight, bias], [(gates, tape.Type), (Layout.Of(shape), tape.Type)]);
        return (made[0], made[1]);
    }

    public override bool BackwardReadsInput(int input, Func<int, bool> wants) => input switch { X => wants(W), W => wants(X), _ => false };

    public override void Forward(Backend backend, OpCall call)
    {
        View gates = LinearOp.Flat(call.Output(0)), y = LinearOp.Flat(call.Output(1)), x = LinearOp.Flat(call.Input(X));
        if (_kernel is not null)
        {
            _kernel.Run(new GatedLinearCall(x, call.Input(W), call.Input(Bias), gates, y, formula, call.Rounding));
            return;
        }

        backend.MatMul(new MatMulArgs { A = x, B = call.Input(W), TransposeB = true, Bias = call.Input(Bias), Y = gates, Rounding = call.Rounding });
        var value = new ValueOf(backend, gates, y);
        formula.Show(ref value);
    }

    public override void Backward(Backend backend, OpCall call)
    {
        if (!call.OutputGradient(1).IsNone)
        {
            throw new InvalidOperationException("gated-linear: a gradient of h came back; expected that of gate and up only, from what reads h");
        }

        View dy = LinearOp.Flat(call.OutputGradient(0));
        LinearOp.Gradients(backend, call, dy, X, W);
        if (!call.InputGradient(Bias).IsNone)
        {
            View dBias = call.InputGradient(Bias);
            backend.Sum(dy, dBias.With(Layout.Of(1, dBias.Layout[0])), call.Accumulates(Bias));
        }
    }

    private readonly struct ValueOf(Backend backend, View gates, View y) : IGateVisitor
    {
        public void Visit<TValue, TGradients>()
            where TValue : struct, IBinaryOp
            where TGradients : struct, IPairOp
            => backend.Zip(default(TValue), GatedParts.Of(gates, 0), GatedParts.Of(gates, 1), y);
    }
}
