namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>Which norm a kernel is compiled for.</summary>
internal interface INormKind
{
    /// <summary>Whether a row's mean is taken off, as LayerNorm does.</summary>
    static abstract bool IsCentered { get; }
}
