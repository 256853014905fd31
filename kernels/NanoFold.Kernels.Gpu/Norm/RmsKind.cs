namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>RMSNorm: one number of statistics a row.</summary>
internal readonly struct RmsKind : INormKind
{
    public static bool IsCentered => false;
}
