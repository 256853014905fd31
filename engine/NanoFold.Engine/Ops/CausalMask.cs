using NanoFold.Kernels;
using NanoFold.Kernels.Fused.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>What stays the same of an <see cref="AttentionMask"/> from step to step; documents come as a tensor.</summary>
public readonly record struct CausalMask(int Window = 0, int Sinks = 0)
{
    internal AttentionMask With(in View documents) => new() { Causal = true, Window = Window, Sinks = Sinks, Documents = documents };

    /// <summary>Whether query <paramref name="t"/> sees key <paramref name="j"/>.</summary>
    public bool IsVisible(int t, int j) => j <= t && (Window == 0 || t - Window < j || j < Sinks);
}
