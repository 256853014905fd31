using NanoFold.Kernels.Calls;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>
/// Products that turn heads by rotary positions on a GPU: on CUDA while results are in registers; elsewhere, and where that would take longer, a product, and one launch that turns where it lies.
/// </summary>
internal sealed class GpuRotaryLinear(GpuMatMul matMul, IKernel<RopeCall> rope) : IKernel<RotaryLinearCall>
{
    public void Run(in RotaryLinearCall call)
    {
        call.Check();
        if (matMul.TryRotary(call))
        {
            return;
        }

        matMul.MatMul(call.Product);
        rope.Run(call.Rotation.InPlace(call.Turned, inverse: false));
    }
}
