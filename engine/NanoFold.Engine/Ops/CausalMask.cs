using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>What stays the same of causal <see cref="Visible"/> from step to step; documents come as a tensor.</summary>
public readonly record struct CausalMask(int Window = 0, int Sinks = 0)
{
    internal Visible With(in View documents) => new() { Kind = VisibleKind.Causal, Window = Window, Sinks = Sinks, Documents = documents };

    /// <summary>Whether query <paramref name="t"/> sees key <paramref name="j"/>.</summary>
    public bool IsVisible(int t, int j) => new VisibleRule(0, Window, Sinks).Sees(t, j);
}
