using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>Brings each token to the rows of its experts: y[r] = x[tokenOfRow[r]]. x [N, C], y [R, C], zeros where a row is no token's. dx[n] = Σ_j dy[rowOfSlot[n, j]].</summary>
public sealed class ExpertGatherOp(IKernel<ExpertCombineCall> kernel) : Op
{
    public override string Name => "expert-gather";

    public static Tensor Record(Tape tape, Tensor x, Tensor rowOfSlot, Tensor tokenOfRow) => tape.Record(
        new ExpertGatherOp(tape.Backend.Require<ExpertCombineCall>()), [x, rowOfSlot, tokenOfRow], Layout.Of(tokenOfRow[0], x[1]));

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input == 1;

    public override void Forward(Backend backend, OpCall call) => backend.Gather(call.Input(0), call.Input(2), call.Output(0));

    public override void Backward(Backend backend, OpCall call) =>
        kernel.Run(new ExpertCombineCall(call.OutputGradient(0), default, call.Input(1), call.InputGradient(0), call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        double[] rowOfSlot = [3, 0, 5, 1, 2, 4], tokenOfRow = [0, 1, 2, 0, 2, 1];
        yield return new OpCase("expert-gather [3, 5]",
            [OpInput.Real(3, 5), new OpInput([3, 2]) { IsInteger = true, Values = rowOfSlot }, new OpInput([6]) { IsInteger = true, Values = tokenOfRow }],
            (tape, t) => Record(tape, t[0], t[1], t[2]),
            a => [.. tokenOfRow.SelectMany(token => a[0].AsSpan((int)token * 5, 5).ToArray())]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        // 7 and the number of rows have no common factor: every row is one slot's.
        int rows = s.Tokens * BlockShape.ActiveExperts, width = s.Width;
        var rowOfSlot = new double[rows];
        var tokenOfRow = new double[rows];
        for (int slot = 0; slot < rows; slot++)
        {
            int row = (int)(slot * 7L % rows);
            rowOfSlot[slot] = row;
            tokenOfRow[row] = slot / BlockShape.ActiveExperts;
        }

        yield return new OpCase($"expert-gather {s.Name} [{s.Tokens}, {width}]",
            [
                OpInput.Real(s.Tokens, width),
                new OpInput([s.Tokens, BlockShape.ActiveExperts]) { IsInteger = true, Values = rowOfSlot },
                new OpInput([rows]) { IsInteger = true, Values = tokenOfRow },
            ],
            (tape, t) => Record(tape, t[0], t[1], t[2]),
            a => [.. tokenOfRow.SelectMany(token => a[0].AsSpan((int)token * width, width).ToArray())]);
    }
}
