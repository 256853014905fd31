using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = h Wᵀ (+ bias) (+ residual) of h = f(gate, up), which a <see cref="GatedLinearOp"/> made: as <see cref="LinearOp"/>, but instead of dh = dy W it gives
/// [dGate dUp], the gradient of [gate up], so that dh is nowhere in memory.
/// </summary>
public sealed class GatedDownOp(Backend backend, GateFormula formula) : LinearOp
{
    private const int Gates = 4;

    private readonly IKernel<GatedGradientCall>? _kernel = backend.Find<GatedGradientCall>();

    public override string Name => "gated-down";

    /// <param name="tape">Where it is recorded.</param>
    /// <param name="h">[.., F].</param>
    /// <param name="gates">[.., 2 F], of which h is made.</param>
    /// <param name="weight">[C, F].</param>
    /// <param name="bias">[C] or none.</param>
    /// <param name="formula">f.</param>
    public static Tensor Record(Tape tape, Tensor h, Tensor gates, Tensor weight, Tensor bias, GateFormula formula)
    {
        if (weight.Layout.Rank != 2 || h[-1] != weight[1] || gates[-1] != 2 * weight[1] || !h.Layout.IsContiguous || !gates.Layout.IsContiguous)
        {
            throw new ArgumentException($"gated-down: h {h}, gates {gates} and weight {weight}; expected contiguous [.., F] and [.., 2 F], and [C, F]");
        }

        int[] shape = h.Layout.ToShape();
        shape[^1] = weight[0];
        return tape.Record(new GatedDownOp(tape.Backend, formula), [h, weight, bias, default, gates], Layout.Of(shape));
    }

    public override bool IsDifferentiable(int input) => input != X;

    public override bool BackwardReadsInput(int input, Func<int, bool> wants) => input switch { X => wants(W), W or Gates => wants(Gates), _ => false };

    public override void Backward(Backend backend, OpCall call)
    {
        if (call.InputGradient(Gates).IsNone || call.InputGradient(W).IsNone || !backend.RunsTogether)
        {
            GateGradients(backend, call);
            WeightGradients(backend, call);
        }
        else
        {
            backend.RunTogether(call.Branches ??= Parts(backend, call));
        }

        GradientsOfAdded(backend, call);
    }

    public override long BackwardScratchBytes(Node node)
    {
        OpCall call = OpCall.OfShapes(node);
        return _kernel?.ScratchBytes(Gradient(call)) ?? DhBytes(call);
    }

    internal static new IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int width, int hidden) in new[] { (1, 1, 1), (7, 5, 9), (65, 32, 24), (34, 40, 72) })
        {
            yield return new OpCase($"gated-down [{rows}, {width}] by {hidden}", [OpInput.Real(rows, width), OpInput.Weight(2 * hidden, width), OpInput.Weight(width, hidden)],
                (tape, t) => Both(tape, t[0], t[1], default, t[2], default, GatedActivationOp<Silu>.Formula), a => Reference<Silu>(a, rows, width, hidden));
        }

        yield return new OpCase("gated-down gelu with biases", [OpInput.Real(2, 9, 16), OpInput.Weight(48, 16), OpInput.Weight(16, 24), OpInput.Weight(48), OpInput.Weight(16)],
            (tape, t) => Both(tape, t[0], t[1], t[3], t[2], t[4], GatedActivationOp<Gelu>.Formula), a => Reference<Gelu>(a, 18, 16, 24));
    }

    private static Tensor Both(Tape tape, Tensor x, Tensor weight, Tensor bias, Tensor down, Tensor downBias, GateFormula formula)
    {
        (Tensor gates, Tensor h) = GatedLinearOp.Record(tape, x, weight, bias, formula);
        return Record(tape, h, gates, down, downBias, formula);
    }

    private static double[] Reference<TActivation>(double[][] a, int rows, int width, int hidden)
        where TActivation : struct, IActivation
    {
        double[] gates = Reference(a[0], a[1], rows, width, 2 * hidden, (_, j) => a.Length > 3 ? a[3][j] : 0), h = new double[rows * hidden];
        for (int i = 0; i < h.Length; i++)
        {
            int at = i / hidden * 2 * hidden + i % hidden;
            h[i] = TActivation.Reference(gates[at]) * gates[at + hidden];
        }

        return Reference(h, a[2], rows, hidden, width, (_, j) => a.Length > 3 ? a[4][j] : 0);
    }

    private static long DhBytes(OpCall call) => call.Input(X).Count * call.Input(X).Type.Size();

    private GatedGradientCall Gradient(OpCall call) => new(
        Flat(call.OutputGradient(0)), call.Input(W), Flat(call.Input(Gates)), Flat(call.InputGradient(Gates)), call.Accumulates(Gates), call.Scratch, formula, call.Rounding);

    // A method of its own, for what its parts hold is allocated where it begins.
    private Action[] Parts(Backend backend, OpCall call) => [() => GateGradients(backend, call), () => WeightGradients(backend, call)];

    private void GateGradients(Backend backend, OpCall call)
    {
        if (call.InputGradient(Gates).IsNone)
        {
            return;
        }

        if (_kernel is not null)
        {
            _kernel.Run(Gradient(call));
            return;
        }

        View h = Flat(call.Input(X)), dh = call.Scratch.As(h.Type, h.Layout);
        backend.MatMul(new MatMulArgs { A = Flat(call.OutputGradient(0)), B = call.Input(W), Y = dh, Rounding = call.Rounding });
        var gradients = new GradientsOf(backend, Flat(call.Input(Gates)), dh, Flat(call.InputGradient(Gates)), call.Accumulates(Gates));
        formula.Show(ref gradients);
    }

    private static void WeightGradients(Backend backend, OpCall call)
    {
        if (!call.InputGradient(W).IsNone)
        {
            backend.MatMul(WeightGradient(call, Flat(call.OutputGradient(0)), X, W));
        }
    }

    private readonly struct GradientsOf(Backend backend, View gates, View dh, View dGates, bool accumulate) : IGateVisitor
    {
        public void Visit<TValue, TGradients>()
            where TValue : struct, IBinaryOp
            where TGradients : struct, IPairOp
            => backend.Zip(default(TGradients), GatedParts.Of(gates, 0), GatedParts.Of(gates, 1), dh, GatedParts.Of(dGates, 0), accumulate, GatedParts.Of(dGates, 1), accumulate);
    }
}
