using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Slices;

/// <summary>
/// Adds the sums of all parts of a tile's depth within one launch: threads leave their own in memory, take a ticket of the tile's counter, and those that come last add all parts in their
/// order, whoever came when. Nobody waits. The counter is 0 again after the last ticket, so that the launch can be repeated.
/// </summary>
/// <param name="w">Of the kernel.</param>
/// <param name="threads">That leave sums together, and meet by <paramref name="meet"/>.</param>
/// <param name="thread">Number among them.</param>
/// <param name="ticket">Address of 4 bytes of shared memory, which they may use for something else after they have met again.</param>
/// <param name="meet">Writes a barrier of theirs.</param>
internal sealed class LastSum(PtxWriter w, int threads, Reg thread, Reg ticket, Action meet)
{
    /// <summary>Four floats of a thread.</summary>
    private const int ChunkBytes = 16;

    /// <summary>Bytes of a place: the sums of all threads that leave them together.</summary>
    public static long Bytes(int threads, int sums) => 4L * threads * sums;

    /// <summary>Goes to <paramref name="end"/> where other parts are still to come; else <paramref name="sums"/> are those of the whole depth.</summary>
    /// <param name="sums">Of each thread, as many as four times something.</param>
    /// <param name="parts">Which part these are.</param>
    /// <param name="sets">Sets of threads of a tile, each with a counter and a place for each part of its own.</param>
    /// <param name="set">Number of this set.</param>
    /// <param name="end">A label.</param>
    public void Write(Reg[] sums, in SliceParts parts, int sets, Reg? set, string end)
    {
        string whole = w.NewLabel();
        if (parts.MayBeAlone)
        {
            using (w.When(w.Compare("eq", parts.Count, 1)))
            {
                w.Branch(whole);
            }
        }

        int bytes = checked((int)Bytes(threads, sums.Length));
        Reg places = GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Parts)), own = At(places, parts.Own, sets, set, bytes);
        for (int i = 0; i < sums.Length / 4; i++)
        {
            w.StoreGlobal(own, ChunkBytes * threads * i, sums.AsSpan(4 * i, 4));
        }

        meet();
        Reg last = w.Sub(parts.Count, 1), isFirst = w.Compare("eq", thread, 0);
        Reg counter = w.MadWide(Numbered(parts.Tile, sets, set), sizeof(int), GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Counters)));
        using (w.When(isFirst))
        {
            w.StoreShared(ticket, 0, w.TakeTurn(counter, last));
        }

        meet();
        Reg taken = w.LoadShared(RegKind.B32, ticket);
        using (w.When(w.Compare("ne", taken, last)))
        {
            w.Branch(end);
        }

        Add(sums, parts, At(places, parts.First, sets, set, bytes), sets * bytes);
        w.Mark(whole);
    }

    private void Add(Reg[] sums, in SliceParts parts, Reg first, int bytes)
    {
        Reg at = w.New(RegKind.B64), left = w.New(RegKind.B32), step = w.New(RegKind.B32);
        w.Set(at, first);
        w.Set(left, parts.Count);
        w.Set(step, parts.FirstStep * bytes);
        foreach (Reg sum in sums)
        {
            w.Set(sum, 0f);
        }

        string next = w.NewLabel();
        w.Mark(next);
        for (int i = 0; i < sums.Length / 4; i++)
        {
            Reg[] part = w.LoadGlobal(RegKind.F32, 4, at, ChunkBytes * threads * i);
            for (int j = 0; j < part.Length; j++)
            {
                w.Set(sums[4 * i + j], w.Add(sums[4 * i + j], part[j]));
            }
        }

        w.Set(at, w.Add(at, w.Widen(step)));
        w.Set(step, parts.Step * bytes);
        w.Set(left, w.Sub(left, 1));
        using (w.When(w.Compare("gt", left, 0)))
        {
            w.Branch(next);
        }
    }

    private Reg At(Reg places, Reg place, int sets, Reg? set, int bytes)
        => w.MadWide(thread, ChunkBytes, w.MadWide(Numbered(place, sets, set), bytes, places));

    private Reg Numbered(Reg number, int sets, Reg? set) => set is { } own ? w.Mad(number, sets, own) : number;
}
