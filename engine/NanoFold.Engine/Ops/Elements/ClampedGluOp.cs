using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = (u + 1) ⊙ g · σ(1.702 g), g = min(gate, 7), u = min(max(up, −7), 7): the inside of the experts of gpt-oss. dGate = dy ⊙ (u + 1) ⊙ s (1 + 1.702 g (1 − s)) with
/// s = σ(1.702 g), where gate ≤ 7, and 0 elsewhere; dUp = dy ⊙ g s where |up| ≤ 7, and 0 elsewhere.
/// </summary>
public sealed class ClampedGluOp : Op
{
    /// <summary>What gates are at most, and how far from 0 what they multiply is.</summary>
    public const double Limit = 7;

    /// <summary>The factor within the sigmoid.</summary>
    public const double Steepness = 1.702;

    /// <summary>The same for calls that apply it where a product ends.</summary>
    internal static GateFormula Formula { get; } = new GateFormula<Value, Gradients>("clamped-glu");

    public override string Name => "clamped-glu";

    public static Tensor Record(Tape tape, Tensor gate, Tensor up) => gate.Layout.SameShape(up.Layout)
        ? tape.Record(new ClampedGluOp(), [gate, up], gate.Layout)
        : throw new ArgumentException($"clamped-glu: gate {gate} and up {up}; expected one shape");

    public override void Forward(Backend backend, OpCall call) => backend.Zip(default(Value), call.Input(0), call.Input(1), call.Output(0));

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
            backend.Zip(default(UpGradient), gate, up, dy, dUp, call.Accumulates(1));
        }
        else
        {
            backend.Zip(default(Gradients), gate, up, dy, dGate, call.Accumulates(0), dUp, call.Accumulates(1));
        }
    }

    internal static IEnumerable<OpCase> Cases()
    {
        // No value is close to a bound, so that central differences stay on one side of it; a quarter of them lies beyond.
        yield return new OpCase("clamped-glu [9, 29]", [Steps(9, 29), Steps(9, 29)], (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Zip(a[1], Reference)]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"clamped-glu {s.Name} [{s.Tokens}, {s.Hidden}]", [Steps(s.Tokens, s.Hidden), Steps(s.Tokens, s.Hidden)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[0].Zip(a[1], Reference)]);
    }

    // Multiples of 21/32, of which none is near 7 (6.5625 and 7.21875 are nearest).
    private static OpInput Steps(params int[] shape) => new(shape, -9, 9) { Step = 0.65625 };

    private static double Reference(double gate, double up)
    {
        double g = Math.Min(gate, 7);
        return (Math.Clamp(up, -7, 7) + 1) * g / (1 + Math.Exp(-1.702 * g));
    }

    internal readonly struct Value : IBinaryOp
    {
        public V Invoke<V>(V gate, V up)
            where V : struct, ILane<V>
        {
            V g = V.Min(gate, V.Constant(Limit));
            V u = V.Min(V.Max(up, V.Constant(-Limit)), V.Constant(Limit));
            return (u + V.Constant(1)) * (g * default(Sigmoid).Value(V.Constant(Steepness) * g));
        }
    }

    internal readonly struct GateGradient : ITernaryOp
    {
        public V Invoke<V>(V gate, V up, V dy)
            where V : struct, ILane<V>
            => default(Gradients).Invoke(gate, up, dy, out _);
    }

    internal readonly struct UpGradient : ITernaryOp
    {
        public V Invoke<V>(V gate, V up, V dy)
            where V : struct, ILane<V>
        {
            _ = default(Gradients).Invoke(gate, up, dy, out V dUp);
            return dUp;
        }
    }

    /// <summary>dGate and dUp.</summary>
    internal readonly struct Gradients : IPairOp
    {
        public V Invoke<V>(V gate, V up, V dy, out V dUp)
            where V : struct, ILane<V>
        {
            V zero = V.Constant(0), one = V.Constant(1), limit = V.Constant(Limit), steepness = V.Constant(Steepness);
            V g = V.Min(gate, limit), u = V.Min(V.Max(up, V.Constant(-Limit)), limit), s = default(Sigmoid).Value(steepness * g);
            dUp = V.SelectGreater(V.Constant(-Limit), up, zero, V.SelectGreater(up, limit, zero, dy * (g * s)));
            V slope = s * V.MultiplyAdd(steepness * g, one - s, one);
            return V.SelectGreater(gate, limit, zero, dy * ((u + one) * slope));
        }
    }
}
