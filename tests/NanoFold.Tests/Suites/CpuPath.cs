using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>A way to set up the CPU backend.</summary>
internal sealed record CpuPath(Isa? Isa = null, int Threads = 1, bool ComposedOnly = false)
{
    /// <summary>Each instruction-set path, and the machine's best without fused kernels.</summary>
    public static IEnumerable<CpuPath> All => [.. EngineTests.Paths.Select(isa => new CpuPath(isa)), new CpuPath(ComposedOnly: true)];
}
