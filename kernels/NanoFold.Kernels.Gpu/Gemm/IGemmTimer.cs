namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>What measures products: a card's clock, or in tests made-up times.</summary>
internal interface IGemmTimer
{
    /// <summary>Seconds of one run by a given kernel.</summary>
    double Seconds(in GemmProblem problem, in GemmChoice choice);
}
