using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>Finds the first of each group of equal rows.</summary>
internal static class DistinctRows
{
    /// <summary>Row numbers, ascending, of the first occurrence of every distinct row. +0 and −0 are equal.</summary>
    /// <param name="rows"><c>[N, D]</c>, finite.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    public static int[] Find(ReadOnlySpan<float> rows, int n, int d)
    {
        Dictionary<ulong, int> newest = new(n);
        int[] older = new int[n]; // the previous distinct row of the same hash, or −1
        int[] kept = new int[n];
        int count = 0;
        for (int i = 0; i < n; i++)
        {
            ReadOnlySpan<float> row = rows.Slice(i * d, d);
            ulong hash = Hash(row);
            int seen = newest.GetValueOrDefault(hash, -1);
            int other = seen;
            while (other >= 0 && !row.SequenceEqual(rows.Slice(other * d, d)))
            {
                other = older[other];
            }

            if (other < 0)
            {
                older[i] = seen;
                newest[hash] = i;
                kept[count++] = i;
            }
        }

        return kept[..count];
    }

    private static ulong Hash(ReadOnlySpan<float> row)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (float value in row)
        {
            // Adding +0 turns −0 into +0.
            hash = (hash ^ BitConverter.SingleToUInt32Bits(value + 0f)) * 0x9E3779B97F4A7C15;
            hash ^= hash >> 32;
        }

        return hash;
    }
}
