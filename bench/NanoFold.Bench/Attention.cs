using BenchmarkDotNet.Attributes;
using NanoFold.Engine.Ops;

namespace NanoFold.Bench;

/// <summary>Attention: causal, with grouped heads, within a window, over the largest scores.</summary>
[MemoryDiagnoser]
public class Attention
{
    private PassRun? _run;

    public static IEnumerable<KernelPass> Passes => PassRun.Passes(IsAttention);

    [ParamsSource(nameof(Passes))]
    public KernelPass Pass { get; set; } = null!;

    [GlobalSetup]
    public void Setup() => _run = new PassRun(Pass);

    [Benchmark]
    public void Run() => _run!.Run();

    [GlobalCleanup]
    public void Cleanup() => _run!.Dispose();

    internal static bool IsAttention(OpCase opCase) => opCase.Name.Contains("attention", StringComparison.Ordinal);
}
