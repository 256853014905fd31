namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>
/// Cycles that an access to shared memory takes: 32 banks of 4 bytes. 8-byte accesses go by half, 16-byte accesses by quarter warps; lanes at one word share it.
/// </summary>
internal static class PtxBanks
{
    public static void Count(PtxMachine machine, List<int> addresses, int bytes)
    {
        int words = Math.Max(1, bytes / 4), lanes = 32 / words;
        for (int first = 0; first < addresses.Count; first += lanes)
        {
            int cycles = addresses.Skip(first).Take(lanes)
                .SelectMany(a => Enumerable.Range(0, words).Select(i => a / 4 + i))
                .Distinct().GroupBy(word => word % 32).Max(bank => bank.Count());
            machine.SharedCycles += cycles;
            machine.ConflictCycles += cycles - 1;
        }
    }
}
