using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>Selection of a row's largest scores: a heap whose root is the worst kept one, and lanes that pass over what is no better.</summary>
internal static unsafe class LargestScores
{
    /// <summary>
    /// The largest <paramref name="keep"/> of the scores that are not −∞, best first, the smaller index first among equals; fewer where there are fewer.
    /// </summary>
    /// <param name="scores">Contiguous, readable up to whole lanes.</param>
    /// <param name="kept">Room for <paramref name="keep"/>.</param>
    /// <param name="isFinite">False where a score is not a number or +∞, for which no order exists.</param>
    /// <returns>How many are kept.</returns>
    public static int Select<V>(void* scores, int count, int keep, KeyScore* kept, out bool isFinite)
        where V : struct, ICpuLane<V>
    {
        isFinite = true;
        int size = 0, next = 0;
        for (; next < count && size < keep; next++)
        {
            double score = Element.Get<V>(scores, next);
            isFinite &= score < double.PositiveInfinity;
            if (score > double.NegativeInfinity)
            {
                kept[size] = new KeyScore(score, next);
                SiftUp(kept, size++);
            }
        }

        if (size == keep && size > 0)
        {
            V zero = default;
            while (next < count)
            {
                int part = Math.Min(V.Width, count - next);
                V lane = V.Load(scores, next);
                // The comparison that lets a lane pass must fail for what is not a number: 0·x is 0 for finite x only.
                bool passes = part == V.Width && V.Largest(lane) <= kept[0].Score && V.Sum(V.SelectGreater(V.Constant(-1e30), lane, zero, lane) * zero) == 0;
                for (int i = next; !passes && i < next + part; i++)
                {
                    double score = Element.Get<V>(scores, i);
                    isFinite &= score < double.PositiveInfinity;
                    if (score > kept[0].Score)
                    {
                        kept[0] = new KeyScore(score, i);
                        SiftDown(kept, size);
                    }
                }

                next += part;
            }
        }

        for (int end = size - 1; end > 0; end--)
        {
            (kept[0], kept[end]) = (kept[end], kept[0]);
            SiftDown(kept, end);
        }

        return size;
    }

    private static void SiftUp(KeyScore* heap, int child)
    {
        while (child > 0)
        {
            int parent = (child - 1) / 2;
            if (!KeyScore.IsWorse(heap[child], heap[parent]))
            {
                return;
            }

            (heap[child], heap[parent]) = (heap[parent], heap[child]);
            child = parent;
        }
    }

    private static void SiftDown(KeyScore* heap, int size)
    {
        int parent = 0;
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
