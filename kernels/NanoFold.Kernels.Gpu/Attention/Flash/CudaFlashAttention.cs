using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using NanoFold.Kernels.Fused;
using NanoFold.Kernels.Fused.Attention;
using NanoFold.Kernels.Gpu.Attention.Full;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// Attention of 16-bit types on tensor cores (CUDA, compute capability 8.0 and above), sums in single precision; what it does not fit goes to the portable
/// kernel. Backward one kernel computes dk and dv, another dq, each its own scores again: no sums across blocks, so the same bits each time.
/// </summary>
internal sealed class CudaFlashAttention(GpuContext context, GpuFusedAttention portable) : IFusedAttention, IFlashDevice, IDisposable
{
    private const string Op = "attention";

    private readonly Dictionary<FlashSpec, PtxKernel> _kernels = [];

    public static bool IsSupported(GpuContext context) =>
        context.Accelerator is CudaAccelerator { Device: CudaDevice { Architecture: { } architecture } } && architecture.Major >= 8;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public void Forward(in AttentionArgs args)
    {
        var shape = new AttentionShape(Op, args);
        if (FlashRun.Fits(this, shape, args))
        {
            FlashRun.Forward(this, shape, args);
        }
        else
        {
            portable.Forward(args);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others, or the scratch is too small.</exception>
    public void Backward(in AttentionArgs args, in AttentionGradients gradients)
    {
        var shape = new AttentionShape(Op, args);
        shape.Check(Op, gradients);
        if (!FlashRun.Fits(this, shape, args, gradients))
        {
            portable.Backward(args, gradients);
            return;
        }

        if (shape.Type == DType.BFloat16)
        {
            DeltaRows.Prepare<BF16>(context, Op, shape, args, gradients, default);
        }
        else
        {
            DeltaRows.Prepare<F16>(context, Op, shape, args, gradients, default);
        }

        FlashRun.Backward(this, shape, args, gradients);
    }

    /// <inheritdoc/>
    public long BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim) => DeltaRows.Bytes(batch, time, heads);

    public long Pointer(in View view) => context.Pointer(view);

    public long Reach(in AttentionShape shape, in View documents)
    {
        ArrayView<int> memory = context.Scratch(DocumentReach.Length(shape) * sizeof(int)).Cast<int>();
        DocumentReach.Find(context, context.View<int>(documents), shape.Batch, shape.Keys, memory);
        return (long)memory.LoadEffectiveAddressAsPtr();
    }

    public void Launch(in FlashSpec spec, in FlashArguments arguments, int gridX, int gridY)
    {
        if (!_kernels.TryGetValue(spec, out PtxKernel? kernel))
        {
            kernel = new PtxKernel(context, spec.Write(), spec.Name);
            _kernels.Add(spec, kernel);
        }

        kernel.Launch(arguments, gridX, gridY, 1);
    }

    public void Dispose()
    {
        foreach (PtxKernel kernel in _kernels.Values)
        {
            kernel.Dispose();
        }

        _kernels.Clear();
    }
}
