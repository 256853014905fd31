using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Sorts the N·k (token, slot) pairs by expert: the shapes are fixed, the counts are data. indices Int32 [N, k], −1 for pairs that are dropped and get no row.
/// </summary>
public sealed class ExpertSortOp(IKernel<ExpertSortCall> kernel) : Op
{
    public override string Name => "expert-sort";

    /// <param name="tape">Where to record.</param>
    /// <param name="indices">Of the experts.</param>
    /// <param name="experts">E.</param>
    /// <param name="most">R, pairs that are not dropped at most; null for all.</param>
    /// <returns>Offsets [E + 1], row of each slot [N, k], token of each row [R].</returns>
    public static (Tensor Offsets, Tensor RowOfSlot, Tensor TokenOfRow) Record(Tape tape, Tensor indices, int experts, long? most = null)
    {
        int rows = checked((int)Math.Min(indices.Layout.Count, most ?? long.MaxValue));
        Tensor[] outputs = tape.Record(new ExpertSortOp(tape.Backend.Require<ExpertSortCall>()), [indices],
        [
            (Layout.Of(experts + 1), DType.Int32),
            (indices.Layout, DType.Int32),
            (Layout.Of(rows), DType.Int32),
        ]);
        return (outputs[0], outputs[1], outputs[2]);
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) =>
        kernel.Run(new ExpertSortCall(call.Input(0), call.Output(0), call.Output(1), call.Output(2)));

    // Whole numbers are seen by what follows: each pair's token, in the order of experts, times its expert's matrix.
    internal static IEnumerable<OpCase> Cases()
    {
        double[] indices = [2, 0, 0, 1, 2, 1, 0, 2];
        yield return new OpCase("expert-sort [4, 2] of 3, gathered and multiplied",
            [OpInput.Real(4, 5), OpInput.Weight(3, 2, 5), new OpInput([4, 2]) { IsInteger = true, Values = indices }],
            (tape, t) =>
            {
                (Tensor offsets, Tensor rowOfSlot, Tensor tokenOfRow) = Record(tape, t[2], 3);
                return GroupedLinearOp.Record(tape, ExpertGatherOp.Record(tape, t[0], rowOfSlot, tokenOfRow), t[1], offsets);
            },
            a => [.. Enumerable.Range(0, 8).OrderBy(slot => indices[slot]).SelectMany(slot => Enumerable.Range(0, 2).Select(n =>
                Enumerable.Range(0, 5).Sum(k => a[0][slot / 2 * 5 + k] * a[1][((int)indices[slot] * 2 + n) * 5 + k])))]);
    }
}
