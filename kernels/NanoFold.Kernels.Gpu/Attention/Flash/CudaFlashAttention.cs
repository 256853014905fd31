using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Attention.Full;
using NanoFold.Kernels.Gpu.Cuda;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// Attention of 16-bit types on tensor cores (CUDA, compute capability 8.0 and above), sums in single precision; what it does not fit goes to the portable
/// kernel. Full, causal and prefix attention, windows, sinks and documents are its own, each block going through what it sees of them; block tables,
/// decays, sink logits, values of another width or with other heads than keys, and head dimensions above 128 are the portable kernel's. Backward one kernel computes dk and dv, another dq, each its own scores again: no sums across blocks, so the same bits each time.
/// Where <see cref="BackwardKernels"/> says so one kernel computes all three, and its blocks add to dq by turns. On compute capability 9.0 both passes go by warpgroups where NANOFOLD_WGMMA is 1
/// (see <see cref="HopperForward"/> and <see cref="HopperGradients"/>).
/// </summary>
internal sealed class CudaFlashAttention(GpuContext context, GpuFusedAttention portable) :
    IKernel<AttentionCall>, IKernel<AttentionBackwardCall>, IFlashDevice, IDisposable
{
    private readonly Dictionary<FlashSpec, PtxKernel> _kernels = [];
    private readonly Dictionary<HopperSpec, PtxKernel> _warpgroupKernels = [];
    private readonly Dictionary<HopperGradientSpec, PtxKernel> _warpgroupGradients = [];
    private readonly CudaTensorMaps _maps = new();
    private readonly bool _startsEarly = EarlyLaunch.IsUsedBy((CudaAccelerator)context.Accelerator);
    private readonly bool _isHopper = context.Accelerator is CudaAccelerator { Device: CudaDevice { Architecture: { Major: 9, Minor: 0 } } };

    public bool HasOneBackward => BackwardKernels.IsOne == true;

    public bool HasWarpgroups => _isHopper && WgmmaGemm.IsAskedFor;

    public bool HasWarpgroupGradients => HasWarpgroups && BackwardKernels.IsOne is null;

    public static bool IsSupported(GpuContext context) =>
        context.Accelerator is CudaAccelerator { Device: CudaDevice { Architecture: { } architecture } } && architecture.Major >= 8;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public void Run(in AttentionCall call)
    {
        AttentionArgs args = call.Args;
        var shape = new AttentionShape(AttentionCall.Name, args);
        if (FlashRun.Fits(this, shape, args))
        {
            FlashRun.Forward(this, shape, args);
        }
        else
        {
            portable.Run(call);
        }
    }

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others, or the scratch is too small.</exception>
    public void Run(in AttentionBackwardCall call)
    {
        AttentionArgs args = call.Args;
        AttentionGradients gradients = call.Gradients;
        var shape = new AttentionShape(AttentionBackwardCall.Name, args);
        shape.Check(AttentionBackwardCall.Name, gradients);
        if (!FlashRun.Fits(this, shape, args, gradients))
        {
            portable.Run(call);
            return;
        }

        ByElement.Run(AttentionBackwardCall.Name, args.Q, new Preparation(context, shape, args, gradients));
        FlashRun.Backward(this, shape, args, gradients);
    }

    /// <summary>The backward pass with gradients of queries and keys turned back as they are stored; false where its kernels cannot.</summary>
    public bool TryBackward(in RotaryAttentionBackwardCall call)
    {
        var shape = new AttentionShape(RotaryAttentionBackwardCall.Name, call.Args);
        if (!FlashRun.Fits(this, shape, call.Args, call.Gradients) || !FlashRun.CanTurnBack(this, shape, call.Rotation))
        {
            return false;
        }

        ByElement.Run(RotaryAttentionBackwardCall.Name, call.Args.Q, new Preparation(context, shape, call.Args, call.Gradients));
        FlashRun.Backward(this, shape, call.Args, call.Gradients, call.Rotation);
        return true;
    }

    public long ScratchBytes(in AttentionBackwardCall shape) => FlashRun.ScratchBytes(HasOneBackward, HasWarpgroupGradients, shape.Args);

    public long Pointer(in View view) => context.Pointer(view);

    public long Reach(in AttentionShape shape, in View documents)
    {
        ArrayView<int> memory = context.Scratch(DocumentReach.Length(shape) * sizeof(int)).Cast<int>();
        DocumentReach.Find(context, context.View<int>(documents), shape.Batch, shape.Keys, memory);
        return (long)memory.LoadEffectiveAddressAsPtr();
    }

    public void Clear(in View memory, long offset, long bytes)
    {
        context.BeforeForeignLaunch();
        GpuContext.Bytes(memory).SubView(offset, bytes).MemSetToZero(context.Stream);
    }

    public void Launch(in FlashSpec spec, in FlashArguments arguments, int gridX, int gridY) => Kernel(_kernels, spec with { StartsEarly = _startsEarly }, s => s.Write()).Launch(arguments, gridX, gridY, 1);

    public TensorMap Map(in TensorMapShape shape) => _maps.Of(shape);

    public void Launch(in HopperSpec spec, in HopperArguments arguments, int gridX, int gridY) => Kernel(_warpgroupKernels, spec with { StartsEarly = _startsEarly }, s => HopperForward.Write(s)).Launch(arguments, gridX, gridY, 1);

    public void Launch(in HopperGradientSpec spec, in HopperGradientArguments arguments, int blocks) => Kernel(_warpgroupGradients, spec with { StartsEarly = _startsEarly }, s => HopperGradients.Write(s)).Launch(arguments, blocks, 1, 1);

    public void Dispose()
    {
        foreach (PtxKernel kernel in _kernels.Values.Concat(_warpgroupKernels.Values).Concat(_warpgroupGradients.Values))
        {
            kernel.Dispose();
        }

        _kernels.Clear();
        _warpgroupKernels.Clear();
        _warpgroupGradients.Clear();
    }

    private PtxKernel Kernel<TSpec>(Dictionary<TSpec, PtxKernel> kernels, TSpec spec, Func<TSpec, PtxProgram> write)
        where TSpec : notnull
    {
        if (!kernels.TryGetValue(spec, out PtxKernel? kernel))
        {
            PtxProgram program = write(spec);
            kernel = new PtxKernel(context, program, program.Name);
            kernels.Add(spec, kernel);
        }

        return kernel;
    }

    private readonly struct Preparation(GpuContext context, AttentionShape shape, AttentionArgs args, AttentionGradients gradients) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => DeltaRows.Prepare<T>(context, AttentionBackwardCall.Name, shape, args, gradients, default);
    }
}
