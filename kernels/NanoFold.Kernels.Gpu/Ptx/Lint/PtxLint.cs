namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>
/// Reads a program before an assembler or a driver does: instructions that its target or its version of PTX has not, registers that are not declared, labels that are not
/// there, more shared memory than a block can have; of programs of the PTX writer also registers that are read before they are set or more than a thread can have,
/// barriers that some threads may not come to, registers of products by warpgroups that are touched before these are waited for, memory that is touched before a kernel has
/// waited for the one before it, reaches into blocks of a cluster that may not have started or may have ended, and stores by tensor maps that nobody waits for.
/// </summary>
/// <remarks>What ILGPU compiles is written in an order that an assembler changes much, and copies values along ways that nothing takes: its simulator judges it.</remarks>
public static class PtxLint
{
    /// <summary>32-bit registers of a multiprocessor, and the most of a thread.</summary>
    private const int Registers = 64 * 1024, MostOfThread = 255;

    /// <summary>Bytes of shared memory that a block can have by declaring them, and by asking for them at its launch.</summary>
    private const int StaticShared = 48 * 1024;

    /// <param name="ptx">The text.</param>
    /// <param name="threads">Of a block at its launch; 0 of what ILGPU compiled, where the launch decides.</param>
    /// <param name="dynamicSharedBytes">Of shared memory, asked for at its launch.</param>
    public static PtxFindings Check(string ptx, int threads = 0, int dynamicSharedBytes = 0)
    {
        var listing = new PtxListing(ptx);
        var faults = new List<string>(listing.Faults);
        foreach (IGrouping<string, PtxLine> lines in listing.Lines.GroupBy(line => line.Opcode))
        {
            if (OpcodeFault(listing, lines.Key) is { } fault)
            {
                faults.Add(fault);
            }
        }

        faults.AddRange(listing.Lines.Where(line => line.Label is { } label && !listing.Labels.ContainsKey(label)).Select(line => $"{line.Text}: there is no such label"));
        var flow = new PtxFlow(listing);
        var liveness = new PtxLiveness(listing, flow);
        int most = Math.Max(listing.TakenRegisters, MostRegisters(Math.Max(threads, listing.MostThreads), listing.LeastBlocks));
        if (threads > 0)
        {
            faults.AddRange(liveness.ReadBeforeSet.Select(register => $"register {register} is read before it is set"));
            faults.AddRange(new PtxDivergence(listing, flow).Faults());
            faults.AddRange(new PtxProducts(listing, flow).Faults());
            faults.AddRange(PtxDependence.Faults(listing, flow));
            faults.AddRange(PtxNeighbors.Faults(listing, flow));
            faults.AddRange(PtxStores.Faults(listing, flow));
            if (liveness.Most > most)
            {
                faults.Add($"{liveness.Most} registers hold values at once, and a thread can have {most}: {liveness.At}");
            }
        }

        if (listing.StaticSharedBytes > StaticShared || listing.StaticSharedBytes + dynamicSharedBytes > MostShared(listing.Target))
        {
            faults.Add($"{listing.StaticSharedBytes} bytes of shared memory and {dynamicSharedBytes} asked for: a block of sm_{listing.Target} can have {MostShared(listing.Target)}, of which {StaticShared} by declaring them");
        }

        string target = $"sm_{listing.Target}{(listing.IsForThisTargetOnly ? "a" : "")}";
        return new PtxFindings(target, listing.Registers, liveness.Most, most, listing.StaticSharedBytes, listing.MostThreads, listing.LeastBlocks, [.. faults.Distinct()]);
    }

    /// <summary>Shared memory that a block of the largest device of a capability, or of later ones, can have.</summary>
    internal static int MostShared(int target) => target switch
    {
        < 75 => StaticShared,
        < 80 => 64 * 1024,
        < 90 => 163 * 1024,
        _ => 227 * 1024,
    };

    /// <summary>Registers come to a thread in eights.</summary>
    internal static int MostRegisters(int threads, int blocks)
        => threads == 0 ? MostOfThread : Math.Min(MostOfThread, Registers / (threads * Math.Max(1, blocks)) / 8 * 8);

    private static string? OpcodeFault(PtxListing listing, string text)
        => PtxOpcodes.Find(text) is not { } opcode ? $"{text}: is no instruction that is known here"
            : opcode.OnlyTarget && !(listing.IsForThisTargetOnly && listing.Target == opcode.Target) ? $"{text}: is for sm_{opcode.Target}a only, and the text is for sm_{listing.Target}{(listing.IsForThisTargetOnly ? "a" : "")}"
            : listing.Target < opcode.Target ? $"{text}: needs sm_{opcode.Target}, and the text is for sm_{listing.Target}"
            : listing.Version < opcode.Version ? $"{text}: needs PTX {opcode.Version / 10}.{opcode.Version % 10}, and the text is of {listing.Version / 10}.{listing.Version % 10}"
            : null;
}
