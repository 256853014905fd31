using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>y = factor · x, the factor a constant. dx = factor · dy.</summary>
public sealed class ScaleOp(double factor) : Op
{
    public override string Name => "scale";

    public static Tensor Record(Tape tape, Tensor x, double factor) => tape.Record(new ScaleOp(factor), [x], x.Layout);

    public override bool BackwardReadsInput(int input) => false;

    public override void Forward(Backend backend, OpCall call) => backend.Map(new Times(factor), call.Input(0), call.Output(0));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => backend.PrepareMap(new Times(factor), call.Input(0), call.Output(0));

    public override void Backward(Backend backend, OpCall call) =>
        backend.Map(new Times(factor), call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("scale [3, 41]", [OpInput.Real(3, 41)], (tape, t) => Record(tape, t[0], 0.3), a => [.. a[0].Select(x => 0.3 * x)]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"scale {s.Name} [{s.Tokens}, {s.Width}]", [OpInput.Real(s.Tokens, s.Width)],
            (tape, t) => Record(tape, t[0], 0.3), a => [.. a[0].Select(x => 0.3 * x)]);
    }

    internal readonly struct Times(double factor) : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => x * V.Constant(factor);
    }
}
