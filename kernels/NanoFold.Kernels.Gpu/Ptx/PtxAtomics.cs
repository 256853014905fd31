namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>What blocks of one launch say to each other in global memory.</summary>
internal static class PtxAtomics
{
    /// <summary>Adds to an integer, and gives what it was.</summary>
    public static Reg AtomicAdd(this PtxWriter w, Reg address, int value)
    {
        Reg before = w.New(RegKind.B32);
        w.Emit($"atom.global.add.u32 {before}, [{address}], {value}");
        return before;
    }

    /// <summary>
    /// Adds 1 to an integer that turns back to 0 from <paramref name="last"/>, and gives what it was. Who is given <paramref name="last"/> sees all that the others wrote before they took theirs, as
    /// do the threads that meet it afterwards; what was written before a barrier with this thread counts as written by it.
    /// </summary>
    public static Reg TakeTurn(this PtxWriter w, Reg address, Reg last)
    {
        Reg before = w.New(RegKind.B32);
        w.Emit($"atom.acq_rel.gpu.global.inc.u32 {before}, [{address}], {last}");
        return before;
    }

    /// <summary>Adds to a float, which nobody waits for.</summary>
    public static void Reduce(this PtxWriter w, Reg address, int offset, Reg value) => w.Emit($"red.global.add.f32 [{address}+{offset}], {value}");

    /// <summary>Loads an integer; what follows sees all that was written before the <see cref="ReleaseAdd"/> that it is of.</summary>
    public static Reg LoadAcquire(this PtxWriter w, Reg address)
    {
        Reg value = w.New(RegKind.B32);
        w.Emit($"ld.acquire.gpu.global.b32 {value}, [{address}]");
        return value;
    }

    /// <summary>Adds to an integer after all that this thread wrote, and what others wrote before a barrier with it.</summary>
    public static void ReleaseAdd(this PtxWriter w, Reg address, int value) => w.Emit($"red.release.gpu.global.add.u32 [{address}], {value}");
}
