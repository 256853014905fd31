using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>What a norm divides its rows by, 1/r of the last of its statistics [N, 1] or [N, 2]: √(mean(x²) + ε), or √(var + ε). No gradient.</summary>
public sealed class NormScaleOp : Op
{
    public override string Name => "norm-scale";

    /// <returns>[N, 1], in the type of the statistics.</returns>
    public static Tensor Record(Tape tape, Tensor statistics) =>
        tape.Record(new NormScaleOp(), [statistics.Slice(1, statistics[1] - 1, 1)], [(Layout.Of(statistics[0], 1), statistics.Type)])[0];

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => backend.Map(default(Inverse), call.Input(0), call.Output(0));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("norm-scale [5, 2]", [new OpInput([5, 2], 0.5, 2)], (tape, t) => Record(tape, t[0]), a => [.. a[0].Where((_, i) => i % 2 == 1).Select(r => 1 / r)])
        { CheckGradient = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"norm-scale {s.Name} [{s.Tokens}, 1]", [new OpInput([s.Tokens, 1], 0.5, 2)], (tape, t) => Record(tape, t[0]), a => [.. a[0].Select(r => 1 / r)])
        { CheckGradient = false };
    }

    internal readonly struct Inverse : IUnaryOp
    {
        public V Invoke<V>(V r)
            where V : struct, ILane<V>
            => V.Constant(1) / r;
    }
}
