using BenchmarkDotNet.Attributes;

namespace NanoFold.Bench;

/// <summary>Passes of cases, each a benchmark; a class names its own in a static <c>Passes</c>.</summary>
[MemoryDiagnoser]
public abstract class PassBenchmark
{
    private PassRun? _run;

    [ParamsSource("Passes")]
    public KernelPass Pass { get; set; } = null!;

    [GlobalSetup]
    public void Setup() => _run = new PassRun(Pass);

    [Benchmark]
    public void Run() => _run!.Run();

    [GlobalCleanup]
    public void Cleanup() => _run!.Dispose();
}
