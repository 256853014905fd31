namespace NanoFold.Bench;

/// <summary>Every op but attention.</summary>
public class Ops : PassBenchmark
{
    public static IEnumerable<KernelPass> Passes => PassRun.Passes(c => !Attention.IsAttention(c));
}
