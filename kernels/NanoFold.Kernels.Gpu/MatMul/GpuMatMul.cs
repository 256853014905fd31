using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Gemm;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>Matrix products of a GPU: on CUDA the kernels written as PTX, elsewhere, and for what those do not take, the portable ones.</summary>
internal sealed class GpuMatMul(GpuContext context) : IDisposable
{
    private readonly PortableMatMul _portable = new(context);

    /// <summary>Null elsewhere than on CUDA.</summary>
    public CudaMatMul? Cuda { get; } = context.IsCuda ? new CudaMatMul(context) : null;

    public void MatMul(in MatMulArgs args, bool allowsTensorFloat32)
    {
        if (Cuda is not null && Cuda.TryMatMul(args, Precision(allowsTensorFloat32)))
        {
            return;
        }

        switch (args.A.Type, args.Y.Type)
        {
            case (DType.BFloat16, DType.BFloat16):
                _portable.MatMul<BF16, BF16>(args);
                break;
            case (DType.BFloat16, _):
                _portable.MatMul<BF16, F32>(args);
                break;
            case (DType.Float16, DType.Float16):
                _portable.MatMul<F16, F16>(args);
                break;
            case (DType.Float16, _):
                _portable.MatMul<F16, F32>(args);
                break;
            default:
                GpuChecks.NotDouble("matmul", args.A);
                _portable.MatMul<F32, F32>(args);
                break;
        }
    }

    public void GroupedMatMul(in GroupedMatMulArgs args, bool allowsTensorFloat32)
    {
        if (Cuda is not null && Cuda.TryGroupedMatMul(args, Precision(allowsTensorFloat32)))
        {
            return;
        }

        switch (args.A.Type, args.Y.Type)
        {
            case (DType.BFloat16, DType.BFloat16):
                _portable.GroupedMatMul<BF16, BF16>(args);
                break;
            case (DType.BFloat16, _):
                _portable.GroupedMatMul<BF16, F32>(args);
                break;
            case (DType.Float16, DType.Float16):
                _portable.GroupedMatMul<F16, F16>(args);
                break;
            case (DType.Float16, _):
                _portable.GroupedMatMul<F16, F32>(args);
                break;
            default:
                GpuChecks.NotDouble("grouped matmul", args.A);
                _portable.GroupedMatMul<F32, F32>(args);
                break;
        }
    }

    public void Dispose() => Cuda?.Dispose();

    private static GpuPrecision Precision(bool allowsTensorFloat32) => allowsTensorFloat32 ? GpuPrecision.TensorFloat32 : GpuPrecision.Float32;
}
