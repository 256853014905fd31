namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>How time is cut. Depends on shapes only, never on threads.</summary>
internal static class BlockSizes
{
    /// <summary>Keys of a block: a multiple of the 6 rows of a tile, so that only a last block has a partial tile.</summary>
    public const int Keys = 96;

    private const int MaxQueries = 96;

    /// <summary>Two of the widest lanes.</summary>
    private const int QueryUnit = 32;

    /// <summary>Queries of a block: blocks of nearly equal size, in whole pairs of lanes.</summary>
    public static int Queries(int time)
    {
        int each = (time + Count(time, MaxQueries) - 1) / Count(time, MaxQueries);
        return Count(each, QueryUnit) * QueryUnit;
    }

    public static int Count(int time, int size) => (time + size - 1) / size;
}
