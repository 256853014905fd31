using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>Attention's way back with gradients of queries and keys turned back: by flash attention's two kernels as they store them, otherwise where they lie, in one launch where they lie side by side.</summary>
/// <param name="attention">All gradients of attention.</param>
/// <param name="flash">On CUDA devices that have it.</param>
/// <param name="rope">Turns.</param>
internal sealed class GpuRotaryAttention(IKernel<AttentionBackwardCall> attention, CudaFlashAttention? flash, IKernel<RopeCall> rope) : IKernel<RotaryAttentionBackwardCall>
{
    public void Run(in RotaryAttentionBackwardCall call)
    {
        call.Check();
        if (flash is not null && flash.TryBackward(call))
        {
            return;
        }

        attention.Run(new AttentionBackwardCall(call.Args, call.Gradients));
        call.Rotation.TurnBack(rope, call.Gradients.DQ, call.Gradients.DK);
    }

    public long ScratchBytes(in RotaryAttentionBackwardCall shape) => attention.ScratchBytes(new AttentionBackwardCall(shape.Args, shape.Gradients));
}
