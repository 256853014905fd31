namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>What products of Float32 operands are computed with; 16-bit operands use tensor cores wherever there are some.</summary>
internal enum GpuPrecision
{
    Float32,

    /// <summary>Operands rounded to 10 bits of mantissa, sums in float.</summary>
    TensorFloat32,
}
