using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>Matrix products of a GPU: on CUDA the kernels written as PTX, elsewhere, and for what those do not take, the portable ones.</summary>
/// <param name="context">What kernels share.</param>
/// <param name="sumsRows">Whether products of logits leave sums of their rows.</param>
internal sealed class GpuMatMul(GpuContext context, bool sumsRows) : IDisposable
{
    private readonly PortableMatMul _portable = new(context);

    /// <summary>Null elsewhere than on CUDA.</summary>
    public CudaMatMul? Cuda { get; } = context.IsCuda ? new CudaMatMul(context) : null;

    public void MatMul(in MatMulArgs args)
    {
        if (Cuda is not null && Cuda.TryMatMul(args, Precision(args.Rounding)))
        {
            return;
        }

        ByElement.Run("matmul", args.A, args.Y, new PlainBody(_portable, args));
    }

    /// <inheritdoc cref="CudaMatMul.TryGated"/>
    public bool TryGated(in MatMulArgs args, GemmGate gate, in View gated) => Cuda is not null && Cuda.TryGated(args, gate, gated, Precision(args.Rounding));

    /// <inheritdoc cref="CudaMatMul.TryRotary"/>
    public bool TryRotary(in RotaryLinearCall call) => Cuda is not null && Cuda.TryRotary(call, Precision(call.Rounding));

    /// <inheritdoc cref="CudaMatMul.TryRowSums"/>
    public bool TryRowSums(in MatMulArgs args, out ArrayView<float> parts)
    {
        parts = default;
        return sumsRows && Cuda is not null && Cuda.TryRowSums(args, Precision(args.Rounding), out parts);
    }

    public void GroupedMatMul(in GroupedMatMulArgs args)
    {
        if (Cuda is not null && Cuda.TryGroupedMatMul(args, Precision(args.Rounding)))
        {
            return;
        }

        ByElement.Run("grouped matmul", args.A, args.Y, new GroupedBody(_portable, args));
    }

    public void Dispose()
    {
        _portable.Dispose();
        Cuda?.Dispose();
    }

    private static GpuPrecision Precision(OperandRounding rounding) => rounding == OperandRounding.None ? GpuPrecision.Float32 : GpuPrecision.TensorFloat32;

    private readonly ref struct PlainBody(PortableMatMul matMul, in MatMulArgs args) : IElementPairBody
    {
        private readonly MatMulArgs _args = args;

        public void Run<T, TOther>()
            where T : unmanaged, IElement<T>
            where TOther : unmanaged, IElement<TOther>
            => matMul.MatMul<T, TOther>(_args);
    }

    private readonly ref struct GroupedBody(PortableMatMul matMul, in GroupedMatMulArgs args) : IElementPairBody
    {
        private readonly GroupedMatMulArgs _args = args;

        public void Run<T, TOther>()
            where T : unmanaged, IElement<T>
            where TOther : unmanaged, IElement<TOther>
            => matMul.GroupedMatMul<T, TOther>(_args);
    }
}
