namespace NanoFold.Kernels.Fused;

/// <summary>
/// RMSNorm y = x · rsqrt(mean(x²) + ε) ⊙ g and LayerNorm y = (x − mean) · rsqrt(var + ε) ⊙ g + b, over the last dimension.
/// Rows may be strided (heads of a projection), the last stride is 1.
/// </summary>
public interface INormKernels
{
    /// <param name="gain">[D] or none.</param>
    /// <param name="statistics">Saved per row: rsqrt for RMSNorm [rows, 1]; mean and rsqrt for LayerNorm [rows, 2]. Contiguous.</param>
    void RmsNorm(in View x, in View gain, in View y, in View statistics, double epsilon);

    /// <summary>dx, and dGain += (where not none). Scratch as asked for by <see cref="BackwardScratchBytes"/>.</summary>
    void RmsNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View scratch);

    void LayerNorm(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon);

    void LayerNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch);

    /// <summary>Scratch for the sums over rows of dGain and dBias, cut by shape.</summary>
    long BackwardScratchBytes(long rows, int width, DType type);
}
