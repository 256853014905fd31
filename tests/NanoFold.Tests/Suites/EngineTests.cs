using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Suites;

/// <summary>Tests that run recorded work: backends by path and threads, made once for a fixture.</summary>
public abstract class EngineTests : IDisposable
{
    /// <summary>All of them; where instructions are switched off, what such a machine would take and the one most machines take.</summary>
    public static readonly Isa[] Paths = InstructionSetTests.SwitchedOff is null
        ? Enum.GetValues<Isa>()
        : [IsaExtensions.Best, Isa.Vector256];

    private readonly Dictionary<(Isa, int, bool), CpuBackend> _backends = [];

    public void Dispose()
    {
        foreach (CpuBackend backend in _backends.Values)
        {
            backend.Dispose();
        }

        _backends.Clear();
        GC.SuppressFinalize(this);
    }

    /// <summary>Managed bytes that this thread allocates in a run: the least of three, for the runtime may load a type or begin a new stretch of memory in one.</summary>
    internal static long LeastAllocated(Action run)
    {
        long least = long.MaxValue;
        for (int i = 0; i < 3; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }

    /// <summary>A backend all of whose threads take part, also on a machine that has fewer processors.</summary>
    internal static CpuBackend AllAtOnce(int threads, Isa isa, bool composedOnly = false)
        => new(new CpuContext(new Workers(threads, atOnce: threads), isa), composedOnly);

    protected CpuBackend Backend(Isa? isa = null, int threads = 1, bool composedOnly = false)
    {
        (Isa, int, bool) key = (isa ?? IsaExtensions.Best, threads, composedOnly);
        if (!_backends.TryGetValue(key, out CpuBackend? backend))
        {
            _backends.Add(key, backend = AllAtOnce(threads, key.Item1, composedOnly));
        }

        return backend;
    }
}

/// <summary>A way to set up the CPU backend.</summary>
internal sealed record CpuPath(Isa? Isa = null, int Threads = 1, bool ComposedOnly = false)
{
    /// <summary>Each instruction-set path, and the machine's best without fused kernels.</summary>
    public static IEnumerable<CpuPath> All => [.. EngineTests.Paths.Select(isa => new CpuPath(isa)), new CpuPath(ComposedOnly: true)];
}
