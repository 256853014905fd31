using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>
/// One linear layer per group of rows: y[rows of e] = x[rows of e] · W[e]ᵀ. x [R, K], W [E, N, K], offsets Int32 [E + 1], y [R, N].
/// dx = dy W[e], dW[e] += dyᵀ x over the rows of e.
/// </summary>
public sealed class GroupedLinearOp : Op
{
    public override string Name => "grouped-linear";

    public static Tensor Record(Tape tape, Tensor x, Tensor weight, Tensor offsets) =>
        x.Layout.Rank == 2 && weight.Layout.Rank == 3 && x[1] == weight[2] && offsets[0] == weight[0] + 1
            ? tape.Record(new GroupedLinearOp(), [x, weight, offsets], Layout.Of(x[0], weight[1]))
            : throw new ArgumentException($"grouped-linear: x {x}, weight {weight}, offsets {offsets}; expected [R, K], [E, N, K], [E + 1]");

    public override bool IsDifferentiable(int input) => input != 2;

    public override bool BackwardReadsInput(int input, Func<int, bool> wants) => input == 2 || wants(1 - input);

    public override void Forward(Backend backend, OpCall call) => backend.GroupedMatMul(new GroupedMatMulArgs
    {
        A = call.Input(0),
        B = call.Input(1),
        TransposeB = true,
        Offsets = call.Input(2),
        Y = call.Output(0),
        Rounding = call.Rounding,
    });

    public override void Backward(Backend backend, OpCall call)
    {
        if (!call.InputGradient(0).IsNone)
        {
            backend.GroupedMatMul(new GroupedMatMulArgs
            {
                A = call.OutputGradient(0),
                B = call.Input(1),
                Offsets = call.Input(2),
                Y = call.InputGradient(0),
                Accumulate = call.Accumulates(0),
                Rounding = call.Rounding,
            });
        }

        if (!call.InputGradient(1).IsNone)
        {
            backend.GroupedMatMul(new GroupedMatMulArgs
            {
                A = call.OutputGradient(0),
                B = call.Input(0),
                Offsets = call.Input(2),
                Y = call.InputGradient(1),
                PerGroupOutput = true,
                Accumulate = call.Accumulates(1),
                Rounding = call.Rounding,
            });
        }
    }

    internal static IEnumerable<OpCase> Cases()
    {
        double[] offsets = [0, 4, 4, 13];
        yield return new OpCase("grouped-linear [13, 5] x [3, 7, 5]",
            [OpInput.Real(13, 5), OpInput.Weight(3, 7, 5), new OpInput([4]) { IsInteger = true, Values = offsets }],
            (tape, t) => Record(tape, t[0], t[1], t[2]),
            a => [.. Enumerable.Range(0, 13 * 7).Select(i =>
            {
                int row = i / 7, expert = row < 4 ? 0 : 2;
                return Enumerable.Range(0, 5).Sum(k => a[0][row * 5 + k] * a[1][(expert * 7 + i % 7) * 5 + k]);
            })]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        // Expert e of E gets e + 1 of E (E + 1) / 2 parts of the rows: routers are never quite balanced.
        const int E = BlockShape.Experts;
        int rows = s.Tokens * BlockShape.ActiveExperts, k = s.Width, n = s.Hidden / BlockShape.ActiveExperts;
        double[] offsets = [.. Enumerable.Range(0, E + 1).Select(e => (double)((long)rows * e * (e + 1) / (E * (E + 1))))];
        yield return new OpCase($"grouped-linear {s.Name} [{rows}, {k}] x [{E}, {n}, {k}]",
            [OpInput.Real(rows, k), OpInput.Weight(E, n, k), new OpInput([E + 1]) { IsInteger = true, Values = offsets }],
            (tape, t) => Record(tape, t[0], t[1], t[2]),
            a => [.. Enumerable.Range(0, rows).SelectMany(row =>
            {
                int expert = Array.FindLastIndex(offsets, start => start <= row);
                return Enumerable.Range(0, n).Select(j => Enumerable.Range(0, k).Sum(p => a[0][row * k + p] * a[1][(expert * n + j) * k + p]));
            })]);
    }
}
