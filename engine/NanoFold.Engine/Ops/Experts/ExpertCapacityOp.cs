using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Drops (token, slot) pairs beyond what an expert takes of a sequence, later tokens first; no gradient. indices Int32 [N, k], sequence after sequence. See <see cref="ExpertCapacityCall"/>.
/// </summary>
public sealed class ExpertCapacityOp(IKernel<ExpertCapacityCall> kernel, int sequences, int capacity) : Op
{
    public override string Name => "expert-capacity";

    /// <returns>The experts, −1 where a pair is dropped, [N, k], and sums of what was sent to the experts before each, dropped pairs included, [E + 1].</returns>
    public static (Tensor Kept, Tensor Routed) Record(Tape tape, Tensor indices, int experts, int sequences, int capacity)
    {
        Tensor[] outputs = tape.Record(new ExpertCapacityOp(tape.Backend.Require<ExpertCapacityCall>(), sequences, capacity), [indices],
            [(indices.Layout, DType.Int32), (Layout.Of(experts + 1), DType.Int32)]);
        return (outputs[0], outputs[1]);
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) =>
        kernel.Run(new ExpertCapacityCall(call.Input(0), call.Output(0), call.Output(1), sequences, capacity));

    /// <summary>All that follows with pairs dropped: rows gathered, multiplied and combined again.</summary>
    internal static IEnumerable<OpCase> Cases()
    {
        // Two sequences of three tokens; an expert takes two of each: the third token's first pair and the fifth's second find no room.
        double[] indices = [0, 1, 0, 2, 0, 2, 1, 2, 2, 1, 0, 2];
        bool[] isDropped = [.. Enumerable.Range(0, 12).Select(slot => Enumerable.Range(slot / 6 * 6, slot % 6).Count(other => indices[other] == indices[slot]) >= 2)];
        yield return new OpCase("expert-capacity 2 of [6, 2] in 2 sequences, gathered, multiplied and combined",
            [OpInput.Real(6, 5), OpInput.Weight(3, 4, 5), OpInput.Real(6, 2), new OpInput([6, 2]) { IsInteger = true, Values = indices }],
            (tape, t) =>
            {
                Tensor kept = Record(tape, t[3], 3, sequences: 2, capacity: 2).Kept;
                (Tensor offsets, Tensor rowOfSlot, Tensor tokenOfRow) = ExpertSortOp.Record(tape, kept, 3, most: 11);
                Tensor rows = GroupedLinearOp.Record(tape, ExpertGatherOp.Record(tape, t[0], rowOfSlot, tokenOfRow), t[1], offsets);
                // A copy, as the op has to be the only reader of its weights.
                return ExpertCombineOp.Record(tape, rows, BroadcastOp.Record(tape, t[2], 6, 2), rowOfSlot);
            },
            a => [.. Enumerable.Range(0, 6 * 4).Select(i => Enumerable.Range(i / 4 * 2, 2).Where(slot => !isDropped[slot])
                .Sum(slot => a[2][slot] * Enumerable.Range(0, 5).Sum(k => a[0][slot / 2 * 5 + k] * a[1][((int)indices[slot] * 4 + i % 4) * 5 + k])))]);
    }
}
