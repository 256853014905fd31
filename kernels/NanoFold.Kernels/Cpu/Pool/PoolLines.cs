using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Cpu.Pool;

/// <summary>The run that is open, on cache lines of its own: whoever sees its state has the rest with it.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal unsafe struct RunLine
{
    /// <summary>Two lines of cache: processors fetch them in pairs.</summary>
    public const int Bytes = 128;

    /// <summary>See <see cref="RunState"/>.</summary>
    [FieldOffset(0)]
    public long State;

    [FieldOffset(8)]
    public delegate*<void*, long, int, void> Invoke;

    /// <summary>The caller's struct.</summary>
    [FieldOffset(16)]
    public void* Work;

    [FieldOffset(24)]
    public long Items;

    /// <summary>The worker that the caller sleeps for, or 0.</summary>
    [FieldOffset(32)]
    public int Awaited;

    /// <summary>Not 0 where an item threw: nothing more is begun.</summary>
    [FieldOffset(36)]
    public int Failed;
}

/// <summary>What one worker writes, on cache lines of its own.</summary>
[StructLayout(LayoutKind.Explicit, Size = 2 * RunLine.Bytes)]
internal struct WorkerLine
{
    /// <summary>How many items of its share were begun, by whomever; see <see cref="Shares"/>.</summary>
    [FieldOffset(0)]
    public long Begun;

    /// <summary>The run that the worker is in, or 0.</summary>
    [FieldOffset(RunLine.Bytes)]
    public long Inside;
}

/// <summary>Number of a run, how many workers have a share of it, and whether they may join: one word, so that they are read together.</summary>
internal readonly struct RunState(long word)
{
    private const int RunShift = 16;
    private const long OpenBit = 1;

    /// <summary>Workers that a word has room for.</summary>
    public const int MostWorkers = (1 << (RunShift - 1)) - 1;

    public long Word => word;

    public bool IsOpen => (word & OpenBit) != 0;

    public long Run => word >> RunShift;

    public int Workers => (int)(word & ((1L << RunShift) - 1)) >> 1;

    public static RunState Opened(long run, int workers) => new((run << RunShift) | ((long)workers << 1) | OpenBit);

    public RunState Closed() => new(word & ~OpenBit);
}
