using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Heads;

/// <summary>Attention as a weighted graph from queries to keys: figures of one row, and of all rows of a window together.</summary>
public static class AttentionGraph
{
    /// <summary>The fewest keys whose weights add up to a share of a row's sum; 0 for a row without weight. <paramref name="scratch"/> is at least as long.</summary>
    public static int KeysFor(ReadOnlySpan<float> weights, double share, Span<float> scratch)
    {
        Span<float> sorted = scratch[..weights.Length];
        weights.CopyTo(sorted);
        sorted.Sort();
        double all = 0, sum = 0;
        foreach (float weight in sorted)
        {
            all += weight;
        }

        int keys = 0;
        // In steps of single precision a sum that should reach the share may miss it by rounding.
        for (int i = sorted.Length - 1; i >= 0 && all > 0 && sum < (share * all) - (1e-7 * all); i--)
        {
            sum += sorted[i];
            keys++;
        }

        return keys;
    }

    /// <summary>Entropy of a row ÷ ln of its keys, its weights made to add up to 1; null for fewer than two keys or no weight.</summary>
    public static double? EntropyShare(ReadOnlySpan<float> weights)
    {
        double sum = 0, logarithms = 0;
        foreach (float weight in weights)
        {
            sum += weight;
            logarithms += weight > 0 ? weight * Math.Log(weight) : 0;
        }

        return weights.Length > 1 && sum > 0 ? Math.Max(0, Math.Log(sum) - (logarithms / sum)) / Math.Log(weights.Length) : null;
    }

    /// <summary>exp of the entropy of σ/Σσ over the singular values of a pattern: n for the identity, 1 where all attend to one key. Null without weight.</summary>
    /// <param name="pattern"><c>[N, K]</c>, rows of queries.</param>
    /// <param name="rows">N.</param>
    public static double? EffectiveRank(ReadOnlySpan<float> pattern, int rows)
    {
        if (rows < 1 || pattern.Length % rows != 0)
        {
            throw new ArgumentException($"Attention graph: {pattern.Length} weights are not {rows} rows.");
        }

        if (pattern.IsEmpty || !RowGuard.AllFinite(pattern))
        {
            return null;
        }

        return SpectrumSummary.FromEigenvalues(MatrixSpectrum.Squares(pattern, rows, pattern.Length / rows), Math.Max(2, rows)).ErankSv;
    }

    /// <summary>
    /// The largest mean weight that the queries of the second half of a window give to one key of the first half, the first key left out: a sink elsewhere than at
    /// position 0. Null for fewer than four rows.
    /// </summary>
    /// <param name="pattern"><c>[N, K]</c>, N queries from position 0 on, rows of at least N keys.</param>
    /// <param name="rows">N.</param>
    public static double? LargestMassOfAnotherKey(ReadOnlySpan<float> pattern, int rows)
    {
        int keys = rows > 0 ? pattern.Length / rows : 0, half = rows / 2;
        double? largest = null;
        for (int key = 1; key < half; key++)
        {
            double sum = 0;
            for (int query = half; query < rows; query++)
            {
                sum += pattern[(query * keys) + key];
            }

            largest = Math.Max(largest ?? 0, sum / (rows - half));
        }

        return largest;
    }
}
