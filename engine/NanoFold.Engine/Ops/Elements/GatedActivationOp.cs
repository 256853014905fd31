using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>y = f(gate) ⊙ up: the inside of SwiGLU and GeGLU (arXiv 2002.05202). dGate = dy ⊙ up ⊙ f′(gate), dUp = dy ⊙ f(gate).</summary>
public sealed class GatedActivationOp<TActivation> : Op
    where TActivation : struct, IActivation
{
    /// <summary>The same for calls that apply it where a product ends.</summary>
    internal static GateFormula Formula { get; } = new GateFormula<Value, Gradients>(TActivation.Name);

    public override string Name => $"{TActivation.Name}-gated";

    public static Tensor Record(Tape tape, Tensor gate, Tensor up) => gate.Layout.SameShape(up.Layout)
        ? tape.Record(new GatedActivationOp<TActivation>(), [gate, up], gate.Layout)
        : throw new ArgumentException($"{TActivation.Name}-gated: gate {gate} and up {up}; expected one shape");

    public override void Forward(Backend backend, OpCall call) =>
        backend.Zip(default(Value), call.Input(0), call.Input(1), call.Output(0));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => backend.PrepareZip(default(Value), call.Input(0), call.Input(1), call.Output(0));

    public override void Backward(Backend backend, OpCall call)
    {
        ref readonly View gate = ref call.Input(0);
        ref readonly View up = ref call.Input(1);
        ref readonly View dy = ref call.OutputGradient(0);
        ref readonly View dGate = ref call.InputGradient(0);
        ref readonly View dUp = ref call.InputGradient(1);
        if (dUp.IsNone)
        {
            backend.Zip(default(GateGradient), gate, up, dy, dGate, call.Accumulates(0));
        }
        else if (dGate.IsNone)
        {
            backend.Zip(default(Value), gate, dy, dUp, call.Accumulates(1));
        }
        else
        {
            backend.Zip(default(Gradients), gate, up, dy, dGate, call.Accumulates(0), dUp, call.Accumulates(1));
        }
    }

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase($"{TActivation.Name}-gated [9, 29]", [new OpInput([9, 29], -5, 5), OpInput.Real(9, 29)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Zip(a[1], (g, u) => TActivation.Reference(g) * u)]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"{TActivation.Name}-gated {s.Name} [{s.Tokens}, {s.Hidden}]", [new OpInput([s.Tokens, s.Hidden], -5, 5), OpInput.Real(s.Tokens, s.Hidden)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Zip(a[1], (g, u) => TActivation.Reference(g) * u)]);
    }

    internal readonly struct Value : IBinaryOp
    {
        public V Invoke<V>(V gate, V up)
            where V : struct, ILane<V>
            => default(TActivation).Value(gate) * up;
    }

    internal readonly struct GateGradient : ITernaryOp
    {
        public V Invoke<V>(V gate, V up, V dy)
            where V : struct, ILane<V>
            => default(Gradients).Invoke(gate, up, dy, out _);
    }

    /// <summary>dGate and dUp.</summary>
    internal readonly struct Gradients : IPairOp
    {
        public V Invoke<V>(V gate, V up, V dy, out V dUp)
            where V : struct, ILane<V>
        {
            V value = default(TActivation).Value(gate, out V derivative);
            dUp = value * dy;
            return dy * up * derivative;
        }
    }
}
