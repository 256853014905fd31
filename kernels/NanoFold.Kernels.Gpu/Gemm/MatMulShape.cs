namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>A product y [m, n] = op(a) · op(b) of inner length k, to be measured.</summary>
/// <param name="M">Rows of y.</param>
/// <param name="N">Columns of y.</param>
/// <param name="K">Inner length.</param>
/// <param name="TransposeA">a is [k, m], else [m, k].</param>
/// <param name="TransposeB">b is [n, k], else [k, n].</param>
/// <param name="Type">Of the operands.</param>
/// <param name="Output">Of y.</param>
/// <param name="TensorFloat32">Operands of Float32 may be rounded to tf32.</param>
public readonly record struct MatMulShape(int M, int N, int K, bool TransposeA, bool TransposeB, DType Type, DType Output, bool TensorFloat32 = false);
