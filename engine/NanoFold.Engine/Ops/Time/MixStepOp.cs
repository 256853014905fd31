using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>Decoding with lower-triangular matrices over time: appends the new values to a cache and mixes over it, see <see cref="MixStepCall"/>. No gradient.</summary>
public sealed class MixStepOp(IKernel<MixStepCall> kernel) : Op
{
    public override string Name => "mix-step";

    public override bool HasSideEffects => true;

    /// <param name="tape">Where to record.</param>
    /// <param name="mix">[G, M, M].</param>
    /// <param name="v">[B, T, C].</param>
    /// <param name="cache">[B, M, C].</param>
    /// <param name="positions">Position of each row's first new token, Int32 [B].</param>
    /// <param name="counts">New tokens of each row, Int32 [B].</param>
    public static Tensor Record(Tape tape, Tensor mix, Tensor v, Tensor cache, Tensor positions, Tensor counts)
    {
        CausalMixOp.Check(mix, v);
        return tape.Record(new MixStepOp(tape.Backend.Require<MixStepCall>()), [mix, v, cache, positions, counts], v.Layout);
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new MixStepCall
    {
        Mix = call.Input(0), V = call.Input(1), Cache = call.Input(2), Positions = call.Input(3), Counts = call.Input(4), Y = call.Output(0),
    });

    internal static IEnumerable<OpCase> Cases() => [Case("mix-step [2, 3, 38] by 2 of 9", 2, 3, 38, 2, 9, [4, 0], [2, 3])];

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) =>
        [Case($"mix-step {s.Name} [{s.Batch}, 1, {s.Width}] by {s.Heads} of {s.Time}", s.Batch, 1, s.Width, s.Heads, s.Time, [.. Enumerable.Repeat(s.Time - 1, s.Batch)], [.. Enumerable.Repeat(1, s.Batch)])];

    private static OpCase Case(string name, int b, int t, int c, int g, int m, int[] positions, int[] counts)
    {
        OpInput Integers(int[] values) => new([b]) { IsInteger = true, Values = [.. values] };
        return new OpCase(name, [OpInput.Real(g, m, m), OpInput.Real(b, t, c), OpInput.Real(b, m, c), Integers(positions), Integers(counts)],
            (tape, x) => Record(tape, x[0], x[1], x[2], x[3], x[4]), v =>
            {
                var y = new double[b * t * c];
                for (int i = 0; i < y.Length; i++)
                {
                    int channel = i % c, place = i / c % t, row = i / c / t, position = positions[row] + place;
                    for (int s = 0; place < counts[row] && s <= position; s++)
                    {
                        double value = s < positions[row] ? v[2][(row * m + s) * c + channel] : v[1][(row * t + s - positions[row]) * c + channel];
                        y[i] += v[0][((channel / (c / g) * m) + position) * m + s] * value;
                    }
                }

                return y;
            })
        { CheckGradient = false, Tolerance = 5e-6 };
    }
}
