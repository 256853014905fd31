namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>LayerNorm: a row's mean and the inverse of its deviation are its statistics.</summary>
internal readonly struct LayerKind : INormKind
{
    public static bool IsCentered => true;
}
