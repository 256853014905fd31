using NanoFold.Gpu.Tests.Ptx.Blocks;
using NanoFold.Gpu.Tests.Ptx.Hopper;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>State of 32 lanes: where they are, which of them run, and their copies under way.</summary>
/// <param name="registers">How many there are.</param>
/// <param name="firstThread">Of the block.</param>
internal sealed class PtxWarp(int registers, int firstThread)
{
    public const int Lanes = 32;

    private readonly ulong[] _values = new ulong[Lanes * registers];

    public int FirstThread { get; } = firstThread;

    public required PtxBlock Block { get; init; }

    /// <summary>What is over for it, where that is asked for.</summary>
    public WarpOrder? Order { get; set; }

    /// <summary>Whether it waited for what was launched before.</summary>
    public bool HasWaited { get; set; }

    /// <summary>Next instruction.</summary>
    public int Next { get; set; }

    /// <summary>Lanes that have not returned.</summary>
    public uint Live { get; set; } = uint.MaxValue;

    /// <summary>Lanes for which the instruction's guard holds.</summary>
    public uint Active { get; set; }

    /// <summary>Its number in the block.</summary>
    public int Number => FirstThread / 32;

    /// <summary>What the warp waits for: asked until it is true. Null: it can run.</summary>
    public Func<bool>? Waits { get; private set; }

    /// <summary>For people, in a dump.</summary>
    public string WaitsFor { get; private set; } = "";

    public bool IsReady => Waits is null;

    /// <summary>Groups of copies under way, oldest first; the last is not yet committed.</summary>
    public List<List<Copy>> Copies { get; } = [[]];

    public ref ulong this[int register, int lane] => ref _values[Lanes * register + lane];

    /// <summary>A register in all lanes.</summary>
    public Span<ulong> Values(int register) => _values.AsSpan(Lanes * register, Lanes);

    public bool Runs(int lane) => (Active >> lane & 1) != 0;

    /// <summary>The wait for an mbarrier that ran out of time last, or -1.</summary>
    public int TimedOutAt { get; set; } = -1;

    /// <summary>Instructions run.</summary>
    public long Steps { get; set; }

    /// <summary>The last load of a word that others change: instruction, address, what was there, and when.</summary>
    public (int Instruction, ulong Address, uint Value, long Time) Asked { get; set; } = (-1, 0, 0, 0);

    /// <summary>Sums of a warpgroup's products.</summary>
    public WarpSums Sums { get; } = new(registers);

    public void WaitFor(string what, Func<bool> isDone, bool tries = false) => (WaitsFor, Waits, TriesUntil) = (what, isDone, tries);

    /// <summary>Ends a wait that can run out of time: one of a try.</summary>
    public bool EndWait()
    {
        bool ends = Live != 0 && Waits is not null && TriesUntil;
        Waits = ends ? null : Waits;
        return ends;
    }

    /// <summary>Whether what it waits for is only tried.</summary>
    public bool TriesUntil { get; set; }

    /// <summary>Whether it can run (now).</summary>
    public bool Wakes()
    {
        if (Waits is not null && Waits())
        {
            Waits = null;
        }

        return Live != 0 && Waits is null;
    }

    public uint Guarded(int predicate, bool negated)
    {
        uint holds = 0;
        ReadOnlySpan<ulong> values = Values(predicate);
        for (int lane = 0; lane < values.Length; lane++)
        {
            holds |= (values[lane] != 0 ? 1u : 0u) << lane;
        }

        return Live & (negated ? ~holds : holds);
    }

    /// <summary>One lane's copy: of <paramref name="Bytes"/> to shared memory the first <paramref name="SourceBytes"/> come from global memory.</summary>
    internal readonly record struct Copy(int Lane, int Shared, ulong Global, int Bytes, int SourceBytes);
}
