using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Memory;

/// <summary>
/// Memory on a machine whose processors have memory of their own each (NUMA). A page lies where it is first touched, and initial values are written by one thread: so weights would
/// lie with one processor, whose memory all others wait for. What all threads read is spread over all nodes, page by page. A thread's own scratch is left where it touches it.
/// Linux only; elsewhere, and where the system does not permit it, pages lie where they are touched.
/// </summary>
internal static unsafe partial class MemoryNodes
{
    private const string NodesFile = "/sys/devices/system/node/has_memory";
    private const int Interleave = 3;
    private const int MaskBits = 1024, WordBits = 64;

    private static readonly Lazy<int[]> s_nodes = new(() => Read(NodesFile));

    /// <summary>Spreads memory that nobody has touched over the nodes, where there are several.</summary>
    /// <param name="start">At the beginning of a page.</param>
    /// <param name="bytes">How many.</param>
    public static void Spread(void* start, long bytes)
    {
        if (s_nodes.Value.Length > 1)
        {
            _ = TrySpread(start, bytes, s_nodes.Value);
        }
    }

    /// <summary>Whether the system spreads it over these nodes; it may leave out those that the process must not use.</summary>
    internal static bool TrySpread(void* start, long bytes, ReadOnlySpan<int> nodes)
    {
        if (!OperatingSystem.IsLinux() || SystemCallNumber is not { } mbind)
        {
            return false;
        }

        ulong* mask = stackalloc ulong[MaskBits / WordBits];
        new Span<ulong>(mask, MaskBits / WordBits).Clear();
        foreach (int node in nodes)
        {
            mask[node / WordBits] |= 1UL << (node % WordBits);
        }

        try
        {
            // The number of bits is one more than the kernel reads.
            return SystemCall(mbind, start, (nuint)bytes, Interleave, mask, MaskBits + 1, 0) == 0;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>The nodes of a list such as <c>0-1,4</c>; none where it is none.</summary>
    internal static int[] Parse(string list)
    {
        var nodes = new List<int>();
        foreach (string part in list.Trim().Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !int.TryParse(ends[0], out int first) || !int.TryParse(ends[^1], out int last) || first < 0 || last >= MaskBits)
            {
                return [];
            }

            for (int node = first; node <= last; node++)
            {
                nodes.Add(node);
            }
        }

        return [.. nodes];
    }

    private static long? SystemCallNumber => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 237,
        Architecture.Arm64 => 235,
        _ => null,
    };

    private static int[] Read(string path)
    {
        try
        {
            return File.Exists(path) ? Parse(File.ReadAllText(path)) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long SystemCall(long number, void* start, nuint length, int mode, ulong* mask, nuint maskBits, uint flags);
}
