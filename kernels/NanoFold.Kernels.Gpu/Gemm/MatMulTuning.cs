namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>What measuring a product led to.</summary>
/// <param name="Shape">The product.</param>
/// <param name="Before">The kernel that did it until then, for people.</param>
/// <param name="After">The one that does it now.</param>
/// <param name="SecondsBefore">Of a call.</param>
/// <param name="SecondsAfter">The same.</param>
public sealed record MatMulTuning(MatMulShape Shape, string Before, string After, double SecondsBefore, double SecondsAfter);

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
