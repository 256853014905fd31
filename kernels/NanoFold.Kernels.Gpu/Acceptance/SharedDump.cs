using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>Writes shared memory out as it lies.</summary>
internal static class SharedDump
{
    /// <summary>After the block's threads have met.</summary>
    public static void Write(PtxWriter w, Reg shared, int bytes, int threads)
    {
        w.Barrier();
        Reg thread = w.ThreadX(), target = w.Argument(RegKind.B64, ProbeArguments.AtY);
        for (int word = 0; word < bytes / 4; word += threads)
        {
            Reg at = w.Mul(w.Add(thread, word), 4);
            w.StoreGlobal(w.MadWide(at, 1, target), 0, w.LoadShared(RegKind.B32, w.Add(shared, at)));
        }
    }
}
