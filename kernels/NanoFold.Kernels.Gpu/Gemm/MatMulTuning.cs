using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>What measuring a product led to.</summary>
/// <param name="Shape">The product.</param>
/// <param name="Before">The kernel that did it until then, for people.</param>
/// <param name="After">The one that does it now.</param>
/// <param name="SecondsBefore">Of a call.</param>
/// <param name="SecondsAfter">The same.</param>
public sealed record MatMulTuning(MatMulShape Shape, string Before, string After, double SecondsBefore, double SecondsAfter)
{
    public bool IsChange => Before != After;
}
