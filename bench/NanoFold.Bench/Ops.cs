using BenchmarkDotNet.Attributes;

namespace NanoFold.Bench;

/// <summary>Every op but attention.</summary>
[MemoryDiagnoser]
public class Ops
{
    private PassRun? _run;

    public static IEnumerable<KernelPass> Passes => PassRun.Passes(c => !Attention.IsAttention(c));

    [ParamsSource(nameof(Passes))]
    public KernelPass Pass { get; set; } = null!;

    [GlobalSetup]
    public void Setup() => _run = new PassRun(Pass);

    [Benchmark]
    public void Run() => _run!.Run();

    [GlobalCleanup]
    public void Cleanup() => _run!.Dispose();
}
