using NanoFold.Engine.Ops;

namespace NanoFold.Bench;

/// <summary>Attention: causal, with grouped heads, within a window, over the largest scores.</summary>
public class Attention : PassBenchmark
{
    public static IEnumerable<KernelPass> Passes => PassRun.Passes(IsAttention);

    internal static bool IsAttention(OpCase opCase) => opCase.Name.Contains("attention", StringComparison.Ordinal);
}
