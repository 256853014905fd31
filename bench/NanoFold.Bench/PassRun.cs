using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Bench;

/// <summary>A pass of a case at the presets' shapes, ready to run on one thread.</summary>
public sealed class PassRun : IDisposable
{
    private readonly CpuBackend _backend = new(1);
    private readonly OpRunner _runner;

    public PassRun(KernelPass pass)
    {
        _runner = new OpRunner(SpeedCases.All.First(c => c.Name == pass.Case), _backend);
        _runner.Run();
        Run = pass.IsBackward ? _runner.Backward : _runner.Forward;
    }

    public Action Run { get; }

    public static IEnumerable<KernelPass> Passes(Func<OpCase, bool> isWanted) => SpeedCases.All.Where(isWanted).SelectMany(c => (KernelPass[])
    [
        new KernelPass(c.Name, IsBackward: false),
        .. c.CheckGradient ? [new KernelPass(c.Name, IsBackward: true)] : (KernelPass[])[],
    ]);

    public void Dispose()
    {
        _runner.Dispose();
        _backend.Dispose();
    }
}
