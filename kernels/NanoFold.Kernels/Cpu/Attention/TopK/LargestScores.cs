using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.TopK;

/// <summary>
/// Selection of a row's largest scores. A threshold is found by halving the range of values and counting in lanes, without a branch on
/// a score; what lies above it is gathered in order of index, then ranked.
/// </summary>
internal static unsafe class LargestScores
{
    /// <summary>Scores below count as invisible, as −∞ does.</summary>
    private const double Lowest = -3e38;

    /// <summary>Up to here ranks are counted, k² / width comparisons; a heap sorts more.</summary>
    private const int MaxCounted = 256;

    /// <summary>
    /// The largest <paramref name="keep"/> of the scores that are not −∞, best first, the smaller index first among equals; fewer where there are fewer.
    /// </summary>
    /// <param name="scores">Contiguous, with room up to whole lanes.</param>
    /// <param name="kept">Room for <paramref name="keep"/>.</param>
    /// <param name="values">Room for whole lanes of <paramref name="keep"/> + 1 elements.</param>
    /// <param name="keys">Room for <paramref name="keep"/> + 1.</param>
    /// <param name="isFinite">False where a score is not a number or +∞: there is no order then, and nothing is kept.</param>
    /// <returns>How many are kept.</returns>
    public static int Select<V>(void* scores, int count, int keep, KeyScore* kept, void* values, int* keys, out bool isFinite)
        where V : struct, ICpuLane<V>
    {
        int padded = LaneSize.Of<V>().Padded(count);
        Element.Fill<V>(Element.At<V>(scores, count), padded - count, double.NegativeInfinity);
        V zero = default, one = V.Constant(1), lowest = V.Constant(Lowest), highest = V.Constant(-Lowest);
        V seen = default, check = default, maximum = lowest, minimum = highest;
        for (nint i = 0; i < padded; i += V.Width)
        {
            V x = V.Load(scores, i);
            seen += V.SelectGreater(x, lowest, one, zero);
            // 0 · x is 0 for finite x only.
            check += V.SelectGreater(lowest, x, zero, x) * zero;
            maximum = V.Max(maximum, x);
            minimum = V.Min(minimum, V.SelectGreater(x, lowest, x, highest));
        }

        isFinite = V.Sum(check) == 0;
        if (!isFinite)
        {
            return 0;
        }

        double threshold = Lowest;
        int ties = 0;
        if ((int)V.Sum(seen) > keep)
        {
            threshold = Threshold<V>(scores, padded, keep, -V.Largest(-minimum), V.Largest(maximum), out ties);
        }

        int size = 0;
        for (int i = 0; i < count; i++)
        {
            double score = Element.Get<V>(scores, i);
            Element.Set<V>(values, size, score);
            keys[size] = i;
            bool isTie = score == threshold & ties > 0;
            ties -= isTie ? 1 : 0;
            size += score > threshold | isTie ? 1 : 0;
        }

        Rank<V>(values, keys, size, kept);
        return size;
    }

    /// <summary>Keep what is above the result, and the first <paramref name="ties"/> that equal it.</summary>
    private static double Threshold<V>(void* scores, int padded, int keep, double low, double high, out int ties)
        where V : struct, ICpuLane<V>
    {
        int above = CountAbove<V>(scores, padded, low);
        ties = Math.Max(0, keep - above);
        // From here on at least so many are above low, and fewer above high.
        while (above > keep)
        {
            double middle;
            Element.Set<V>(&middle, 0, 0.5 * low + 0.5 * high);
            middle = Element.Get<V>(&middle, 0);
            if (!(middle > low && middle < high))
            {
                ties = keep - CountAbove<V>(scores, padded, high);
                return high;
            }

            int aboveMiddle = CountAbove<V>(scores, padded, middle);
            if (aboveMiddle >= keep)
            {
                low = middle;
                above = aboveMiddle;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private static int CountAbove<V>(void* scores, int padded, double threshold)
        where V : struct, ICpuLane<V>
    {
        V zero = default, one = V.Constant(1), limit = V.Constant(threshold), count = default, other = default;
        nint i = 0;
        for (; i + 2 * V.Width <= padded; i += 2 * V.Width)
        {
            count += V.SelectGreater(V.Load(scores, i), limit, one, zero);
            other += V.SelectGreater(V.Load(scores, i + V.Width), limit, one, zero);
        }

        if (i < padded)
        {
            count += V.SelectGreater(V.Load(scores, i), limit, one, zero);
        }

        return (int)V.Sum(count + other);
    }

    /// <summary>Sorts by score, best first; equal ones keep their order.</summary>
    private static void Rank<V>(void* values, int* keys, int size, KeyScore* kept)
        where V : struct, ICpuLane<V>
    {
        if (size > MaxCounted)
        {
            for (int i = 0; i < size; i++)
            {
                kept[i] = new KeyScore(Element.Get<V>(values, i), keys[i]);
            }

            HeapSort(kept, size);
            return;
        }

        int padded = LaneSize.Of<V>().Padded(size);
        Element.Fill<V>(Element.At<V>(values, size), padded - size, double.NegativeInfinity);
        for (int i = 0; i < size; i++)
        {
            kept[i] = new KeyScore(0, -1);
        }

        for (int i = 0; i < size; i++)
        {
            double score = Element.Get<V>(values, i);
            int rank = CountAbove<V>(values, padded, score);
            while (kept[rank].Key >= 0)
            {
                rank++;
            }

            kept[rank] = new KeyScore(score, keys[i]);
        }
    }

    private static void HeapSort(KeyScore* items, int size)
    {
        for (int i = size / 2 - 1; i >= 0; i--)
        {
            SiftDown(items, i, size);
        }

        for (int end = size - 1; end > 0; end--)
        {
            (items[0], items[end]) = (items[end], items[0]);
            SiftDown(items, 0, end);
        }
    }

    /// <summary>Restores the heap, whose root is the worst item, below one item.</summary>
    private static void SiftDown(KeyScore* heap, int parent, int size)
    {
        while (true)
        {
            int child = 2 * parent + 1;
            if (child >= size)
            {
                return;
            }

            if (child + 1 < size && KeyScore.IsWorse(heap[child + 1], heap[child]))
            {
                child++;
            }

            if (!KeyScore.IsWorse(heap[child], heap[parent]))
            {
                return;
            }

            (heap[child], heap[parent]) = (heap[parent], heap[child]);
            parent = child;
        }
    }
}

/// <summary>A key and its scaled score.</summary>
internal readonly record struct KeyScore(double Score, int Key)
{
    /// <summary>Ranks lower: a smaller score, or among equals the larger key.</summary>
    public static bool IsWorse(in KeyScore a, in KeyScore b) => a.Score < b.Score || (a.Score == b.Score && a.Key > b.Key);
}
