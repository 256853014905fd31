using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Adds what a pass sends to the experts to what the router counts in a step. routed and kept are sums before each expert, Int32 [E + 1], with and without what was dropped; counts Int32 [E + 1].
/// </summary>
public sealed class ExpertTallyOp(IKernel<ExpertTallyCall> kernel) : Op
{
    public override string Name => "expert-tally";

    public static void Record(Tape tape, Tensor routed, Tensor kept, Tensor counts) =>
        tape.Record(new ExpertTallyOp(tape.Backend.Require<ExpertTallyCall>()), [routed, kept, counts], []);

    public override bool IsDifferentiable(int input) => false;

    public override bool HasSideEffects => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new ExpertTallyCall(call.Input(0), call.Input(1), call.Input(2)));
}
