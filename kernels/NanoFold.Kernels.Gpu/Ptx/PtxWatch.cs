using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>
/// Bounds every wait for a barrier in shared memory: where one has not ended after two seconds, the thread writes which it is to memory that the host can read, leaves others time to
/// do the same, and ends the kernel with a trap. The driver then refuses all further work of the process: it is for finding out why a kernel hangs.
/// </summary>
/// <param name="argument">Where in the struct of arguments the address of <see cref="Bytes"/> bytes stands.</param>
internal sealed class PtxWatch(int argument)
{
    /// <summary>Of a wait: the block and one, the thread, the barrier's place in shared memory, the parity.</summary>
    private const int BytesOfOne = 16, Most = 16;

    /// <summary>Of all waits.</summary>
    public const int Bytes = Most * BytesOfOne;

    private const long Nanoseconds = 2_000_000_000, Grace = 200_000_000;

    private readonly List<string> _waits = [];

    /// <summary>What the waits are for, in the order of their numbers.</summary>
    public IReadOnlyList<string> Waits => _waits;

    /// <summary>What was written, in words; null where nothing was.</summary>
    public static string? Read(ReadOnlySpan<byte> written, IReadOnlyList<string> waits)
    {
        var said = new List<string>();
        for (int i = 0; i < waits.Count; i++)
        {
            ReadOnlySpan<int> one = MemoryMarshal.Cast<byte, int>(written.Slice(i * BytesOfOne, BytesOfOne));
            if (one[0] > 0)
            {
                said.Add($"thread {one[1]} of block {one[0] - 1} waited two seconds for {waits[i]} (barrier at {one[2]} of shared memory, parity {one[3]})");
            }
        }

        return said.Count == 0 ? null : string.Join("; ", said);
    }

    /// <summary>The time at which to give up.</summary>
    public Reg Begin(PtxWriter w) => Plus(w, Now(w), Nanoseconds);

    /// <summary>Goes back to <paramref name="again"/>, or gives up.</summary>
    public void GoOn(PtxWriter w, Reg deadline, string again, string what, Reg barrier, Reg parity)
    {
        int slot = BytesOfOne * _waits.Count;
        if (slot >= Bytes)
        {
            throw new InvalidOperationException($"ptx: {w.Name} has more than {Most} waits");
        }

        _waits.Add(what);
        BranchBefore(w, deadline, again);
        Reg words = w.Argument(RegKind.B64, argument);
        w.StoreGlobal(words, slot, w.Add(w.BlockX(), 1));
        w.StoreGlobal(words, slot + 4, w.ThreadX());
        w.StoreGlobal(words, slot + 8, barrier);
        w.StoreGlobal(words, slot + 12, parity);
        w.Emit("membar.sys");
        string others = w.NewLabel();
        w.Mark(others);
        BranchBefore(w, Plus(w, deadline, Grace), others);
        w.Emit("trap");
    }

    private static void BranchBefore(PtxWriter w, Reg deadline, string label)
        => w.Emit($"@{w.Op(RegKind.Predicate, "setp.lt.s64", Now(w), deadline)} bra {label}");

    private static Reg Now(PtxWriter w)
    {
        Reg now = w.New(RegKind.B64);
        w.Emit($"mov.u64 {now}, %globaltimer");
        return now;
    }

    private static Reg Plus(PtxWriter w, Reg a, long b)
    {
        Reg sum = w.New(RegKind.B64);
        w.Emit($"add.s64 {sum}, {a}, {b}");
        return sum;
    }
}
