using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Sorts the N·k (token, slot) pairs by expert, dropless: the shapes are fixed, the counts are data. indices Int32 [N, k].
/// </summary>
public sealed class ExpertSortOp(IKernel<ExpertSortCall> kernel) : Op
{
    public override string Name => "expert-sort";

    /// <returns>Offsets [E + 1], row of each slot [N, k], token of each row [N·k].</returns>
    public static (Tensor Offsets, Tensor RowOfSlot, Tensor TokenOfRow) Record(Tape tape, Tensor indices, int experts)
    {
        Tensor[] outputs = tape.Record(new ExpertSortOp(tape.Backend.Require<ExpertSortCall>()), [indices],
        [
            (Layout.Of(experts + 1), DType.Int32),
            (indices.Layout, DType.Int32),
            (Layout.Of(checked((int)indices.Layout.Count)), DType.Int32),
        ]);
        return (outputs[0], outputs[1], outputs[2]);
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) =>
        kernel.Run(new ExpertSortCall(call.Input(0), call.Output(0), call.Output(1), call.Output(2)));
}
