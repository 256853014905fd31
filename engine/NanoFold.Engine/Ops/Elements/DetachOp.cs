using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>y = x, to which no gradient flows back: for what learns from a value without changing it.</summary>
public sealed class DetachOp : Op
{
    public override string Name => "detach";

    /// <returns>A copy of x; x itself where nothing is trained.</returns>
    public static Tensor Record(Tape tape, Tensor x) => tape.IsTraining ? tape.Record(new DetachOp(), [x], x.Layout) : x;

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => backend.Copy(call.Input(0), call.Output(0));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("detach [3, 7]", [OpInput.Real(3, 7)], (tape, x) => tape.Record(new DetachOp(), [x[0]], x[0].Layout), v => v[0]) { CheckGradient = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"detach {s.Name} [{s.Tokens}, {s.Width}]", [OpInput.Real(s.Tokens, s.Width)], (tape, x) => tape.Record(new DetachOp(), [x[0]], x[0].Layout), v => v[0])
        { CheckGradient = false };
    }
}
