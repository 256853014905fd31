using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>y = x; the gradient that comes back is put into memory of the caller, dx = dy.</summary>
internal sealed class CatchGradientOp : Op
{
    private const int X = 0, Into = 1;

    public override string Name => "catch gradient";

    /// <param name="tape">Where there is a backward pass.</param>
    /// <param name="x">Any value.</param>
    /// <param name="into">External, of the shape of x: written in the backward pass.</param>
    public static Tensor Record(Tape tape, Tensor x, Tensor into)
    {
        Tensor y = tape.Record(new CatchGradientOp(), [x, into], x.Layout);
        tape.RequireGradient(y);
        return y;
    }

    public override bool IsDifferentiable(int input) => input == X;

    public override bool PassesGradient(int input) => input == X;

    public override bool BackwardReadsInput(int input) => input == Into;

    public override void Forward(Backend backend, OpCall call) => backend.Copy(call.Input(X), call.Output(0));

    public override void Backward(Backend backend, OpCall call)
    {
        backend.Copy(call.OutputGradient(0), call.Input(Into));
        call.PassGradient(backend, X);
    }
}
