using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.FeedForward;

/// <summary>The op of each <see cref="Activation"/>.</summary>
internal static class ActivationRecording
{
    public static bool IsGated(this Activation activation) => activation is Activation.SwiGlu or Activation.GeGlu;

    /// <summary>f(pre), or f(pre) ⊙ linear for gated kinds.</summary>
    public static Tensor Record(this Activation activation, Tape tape, Tensor pre, Tensor linear) => activation switch
    {
        Activation.Relu => ActivationOp<Relu>.Record(tape, pre),
        Activation.Relu2 => ActivationOp<SquaredRelu>.Record(tape, pre),
        Activation.Gelu => ActivationOp<Gelu>.Record(tape, pre),
        Activation.SwiGlu => GatedActivationOp<Silu>.Record(tape, pre, linear),
        Activation.GeGlu => GatedActivationOp<Gelu>.Record(tape, pre, linear),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation"),
    };
}
