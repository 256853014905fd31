using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y [1] = the number in a slot of the step's state: a factor that changes from step to step without a new recording, as a temperature. Other ops read it like any
/// operand. No gradient flows to it.
/// </summary>
public sealed class SlotOp(IKernel<SlotValueCall> kernel, StepSlot slot) : Op
{
    public override string Name => "slot";

    /// <param name="tape">Where to record.</param>
    /// <param name="slot">One that holds a double, as those of <see cref="StepState.Add"/> do.</param>
    /// <param name="type">Of y; that of activations where null.</param>
    public static Tensor Record(Tape tape, StepSlot slot, DType? type = null)
        => tape.Record(new SlotOp(tape.Backend.Require<SlotValueCall>(), slot), [], [(Layout.Of(1), type ?? tape.Type)])[0];

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new SlotValueCall(call.State, slot, call.Output(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("slot times [3, 41]", [OpInput.Real(3, 41)],
            (tape, t) => MultiplyOp.Record(tape, t[0], Record(tape, tape.State.Add("temperature", 0.375)).Reshape(1, 1)), a => [.. a[0].Select(x => 0.375 * x)]);
    }
}
