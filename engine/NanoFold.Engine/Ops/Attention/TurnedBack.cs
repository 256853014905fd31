using NanoFold.Engine.Autograd;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>
/// How the gradients of queries and keys that a <see cref="RotaryLinearOp"/> turned are turned back: while attention stores them, where the backend has a kernel for that, otherwise where they lie.
/// Nothing else gives a part of them.
/// </summary>
/// <param name="backend">Whose kernels are used.</param>
/// <param name="input">The first of attention's inputs that are the <see cref="RotaryPositions"/>.</param>
/// <param name="interleaved">As these say.</param>
public sealed class TurnedBack(Backend backend, int input, bool interleaved)
{
    private readonly IKernel<RotaryAttentionBackwardCall>? _kernel = backend.Find<RotaryAttentionBackwardCall>();
    private readonly IKernel<RopeCall> _rope = backend.Require<RopeCall>();

    internal void Run(IKernel<AttentionBackwardCall> attention, in AttentionBackwardCall backward, OpCall call)
    {
        HeadRotation rotation = RotaryPositions.At(call, input, interleaved);
        if (_kernel is not null)
        {
            _kernel.Run(new RotaryAttentionBackwardCall(backward.Args, backward.Gradients, rotation));
            return;
        }

        attention.Run(backward);
        rotation.TurnBack(_rope, backward.Gradients.DQ, backward.Gradients.DK);
    }

    internal long ScratchBytes(in AttentionBackwardCall backward, OpCall shapes)
        => _kernel?.ScratchBytes(new RotaryAttentionBackwardCall(backward.Args, backward.Gradients, RotaryPositions.At(shapes, input, interleaved))) ?? 0;
}
