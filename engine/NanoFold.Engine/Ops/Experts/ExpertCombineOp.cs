using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Brings the experts' results back to their tokens: y[n] = Σ_j weights[n, j] · rows[rowOfSlot[n, j]] over the slots that have a row. rows [R, C], weights [N, k], y [N, C].
/// </summary>
public sealed class ExpertCombineOp(Backend backend) : Op
{
    private readonly IKernel<ExpertCombineCall> _forward = backend.Require<ExpertCombineCall>();
    private readonly IKernel<ExpertCombineBackwardCall> _backward = backend.Require<ExpertCombineBackwardCall>();

    public override string Name => "expert-combine";

    public static Tensor Record(Tape tape, Tensor rows, Tensor weights, Tensor rowOfSlot) => tape.Record(
        new ExpertCombineOp(tape.Backend), [rows, weights, rowOfSlot], Layout.Of(weights[0], rows[1]));

    public override bool IsDifferentiable(int input) => input != 2;

    public override void Forward(Backend backend, OpCall call) =>
        _forward.Run(new ExpertCombineCall(call.Input(0), call.Input(1), call.Input(2), call.Output(0), Accumulate: false));

    public override void Backward(Backend backend, OpCall call)
    {
        if (call.Accumulates(0) || call.Accumulates(1))
        {
            throw new InvalidOperationException("expert-combine: must be the only reader of its rows and weights");
        }

        _backward.Run(new ExpertCombineBackwardCall(
            call.Input(0), call.Input(1), call.Input(2), call.OutputGradient(0), call.InputGradient(0), call.InputGradient(1)));
    }

    internal static IEnumerable<OpCase> Cases()
    {
        double[] rowOfSlot = [3, 0, 5, 1, 2, 4];
        yield return new OpCase("expert-combine [6, 5]",
            [OpInput.Real(6, 5), OpInput.Real(3, 2), new OpInput([3, 2]) { IsInteger = true, Values = rowOfSlot }],
            // Copies, as the op has to be the only reader of its rows and weights.
            (tape, t) => Record(tape, BroadcastOp.Record(tape, t[0], 6, 5), BroadcastOp.Record(tape, t[1], 3, 2), t[2]),
            a => [.. Enumerable.Range(0, 15).Select(i =>
                a[1][i / 5 * 2] * a[0][(int)rowOfSlot[i / 5 * 2] * 5 + i % 5] + a[1][i / 5 * 2 + 1] * a[0][(int)rowOfSlot[i / 5 * 2 + 1] * 5 + i % 5])]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        // 7 and the number of rows have no common factor: every row is one slot's.
        int rows = s.Tokens * BlockShape.ActiveExperts, width = s.Width;
        double[] rowOfSlot = [.. Enumerable.Range(0, rows).Select(i => (double)(i * 7L % rows))];
        yield return new OpCase($"expert-combine {s.Name} [{rows}, {width}]",
            [OpInput.Real(rows, width), OpInput.Real(s.Tokens, BlockShape.ActiveExperts), new OpInput([s.Tokens, BlockShape.ActiveExperts]) { IsInteger = true, Values = rowOfSlot }],
            (tape, t) => Record(tape, t[0], t[1], t[2]),
            a => [.. Enumerable.Range(0, s.Tokens * width).Select(i => Enumerable.Range(i / width * BlockShape.ActiveExperts, BlockShape.ActiveExperts)
                .Sum(slot => a[1][slot] * a[0][(int)rowOfSlot[slot] * width + i % width]))]);
    }
}
