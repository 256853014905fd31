using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>What stays the same of an <see cref="AttentionMask"/> from step to step; documents come as a tensor.</summary>
public readonly record struct CausalMask(int Window = 0, int Sinks = 0)
{
    internal AttentionMask With(in View documents) => new() { Causal = true, Window = Window, Sinks = Sinks, Documents = documents };

    /// <summary>Whether query <paramref name="t"/> sees key <paramref name="j"/>.</summary>
    public bool IsVisible(int t, int j) => j <= t && (Window == 0 || t - Window < j || j < Sinks);

    /// <summary>(query, key) pairs of a sequence.</summary>
    public long VisiblePairs(int time)
    {
        long pairs = 0;
        for (int t = 0; t < time; t++)
        {
            int inWindow = Window == 0 ? t + 1 : Math.Min(t + 1, Window);
            pairs += inWindow + Math.Min(Sinks, t + 1 - inWindow);
        }

        return pairs;
    }
}
