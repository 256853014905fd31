using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>Products of small matrices as tensor cores are taken to compute them: of elements without rounding, added in double precision in the order of the depth.</summary>
internal static class PtxProducts
{
    /// <summary>sums [rows, columns] += left [rows, depth] · right [depth, columns]</summary>
    /// <param name="columns">A multiple of 8.</param>
    public static void Add(ReadOnlySpan<double> left, ReadOnlySpan<double> right, Span<double> sums, int columns, int depth)
    {
        ref double products = ref MemoryMarshal.GetReference(right), all = ref MemoryMarshal.GetReference(sums);
        for (int column = 0; column < columns; column += 8)
        {
            for (int row = 0; row < sums.Length / columns; row++)
            {
                nuint at = (nuint)(row * columns + column);
                Vector256<double> low = Vector256.LoadUnsafe(ref all, at), high = Vector256.LoadUnsafe(ref all, at + 4);
                ReadOnlySpan<double> factors = left.Slice(row * depth, depth);
                for (int k = 0; k < factors.Length; k++)
                {
                    var factor = Vector256.Create(factors[k]);
                    nuint from = (nuint)(k * columns + column);
                    low += factor * Vector256.LoadUnsafe(ref products, from);
                    high += factor * Vector256.LoadUnsafe(ref products, from + 4);
                }

                low.StoreUnsafe(ref all, at);
                high.StoreUnsafe(ref all, at + 4);
            }
        }
    }
}
