using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.FeedForward;

/// <summary>The op of each <see cref="Activation"/>.</summary>
internal static class ActivationRecording
{
    public static bool IsGated(this Activation activation) => activation is Activation.SwiGlu or Activation.GeGlu;

    /// <summary>F of a feed-forward of this kind: 4 · C, or with a gate 8/3 · C in the nearest multiple of 8, the same number of parameters.</summary>
    public static int DefaultHidden(this Activation activation, int width)
        => activation.IsGated() ? Math.Max(8, (int)Math.Round(width / 3.0, MidpointRounding.AwayFromZero) * 8) : 4 * width;

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
