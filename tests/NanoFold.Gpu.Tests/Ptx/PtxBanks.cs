namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>
/// Cycles that an access to shared memory takes: 32 banks of 4 bytes. 8-byte accesses go by half, 16-byte accesses by quarter warps; lanes at one word share it.
/// </summary>
internal static class PtxBanks
{
    private const int Banks = 32;

    public static void Count(PtxMachine machine, ReadOnlySpan<int> addresses, int bytes)
    {
        int words = Math.Max(1, bytes / 4), lanes = Banks / words;
        for (int first = 0; first < addresses.Length; first += lanes)
        {
            int cycles = Cycles(addresses.Slice(first, Math.Min(lanes, addresses.Length - first)), words);
            machine.SharedCycles += cycles;
            machine.ConflictCycles += cycles - 1;
        }
    }

    /// <summary>The most words that are asked of a bank.</summary>
    private static int Cycles(ReadOnlySpan<int> addresses, int words)
    {
        Span<int> asked = stackalloc int[Banks], ofBank = stackalloc int[Banks];
        int count = 0, most = 0;
        foreach (int address in addresses)
        {
            for (int i = 0; i < words; i++)
            {
                int word = address / 4 + i, bank = word % Banks;
                if (ofBank[bank] == 0 || !asked[..count].Contains(word))
                {
                    asked[count++] = word;
                    most = Math.Max(most, ++ofBank[bank]);
                }
            }
        }

        return most;
    }
}
