using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>Brings each token to the rows of its experts: y[r] = x[tokenOfRow[r]]. x [N, C], y [N·k, C]. dx[n] = Σ_j dy[rowOfSlot[n, j]].</summary>
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
}
