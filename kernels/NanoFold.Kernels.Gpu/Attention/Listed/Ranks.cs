using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>
/// Choice of a row's largest scores by a group of threads. Scores become integers in the same order, so that a threshold is found bit by bit, 31 counts of the
/// row, and equal ones are equal; what is above it is then listed in order of index.
/// </summary>
internal static class Ranks
{
    /// <summary>Of what is not seen; below all.</summary>
    public const int Hidden = int.MinValue;

    /// <summary>Of what is not a number or +∞; above all.</summary>
    public const int Unordered = int.MaxValue;

    /// <summary>Rows up to this length are compared pair by pair, which needs no threads to wait for each other.</summary>
    private const int Few = 256;

    private const int Infinity = 0x7f800000;

    public static int Of(float score)
    {
        int bits = (int)Interop.FloatAsInt(score), size = bits & 0x7fffffff;
        // Both zeros have rank 0. −∞ is seen and comes last of what is.
        int rank = bits < 0 ? -size : size;
        return size > Infinity || bits == Infinity ? Unordered : rank;
    }

    private static float Score(int rank) => Interop.IntAsFloat((uint)(rank < 0 ? -rank | Hidden : rank));

    /// <summary>The fewest of the largest scores whose exponentials reach a share of those of the whole row.</summary>
    public static int Enough(ArrayView<float> shared, ArrayView<int> ranks, int count, float mass)
    {
        float largest = float.NegativeInfinity;
        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            if (ranks[i] > Hidden)
            {
                largest = XMath.Max(largest, Score(ranks[i]));
            }
        }

        largest = GroupReduce.Max(shared, largest);
        float target = WeightFrom(shared, ranks, count, Hidden + 1, largest) * mass;
        if (count <= Few)
        {
            return FewEnough(shared, ranks, count, target, largest);
        }

        // The largest rank from which on the weight reaches the target: its sign first, then bit by bit.
        int from = WeightFrom(shared, ranks, count, 0, largest) >= target ? 0 : Hidden;
        for (int bit = 30; bit >= 0; bit--)
        {
            int next = from | (1 << bit);
            if (WeightFrom(shared, ranks, count, next, largest) >= target)
            {
                from = next;
            }
        }

        int above = CountFrom(shared, ranks, count, from + 1), equal = CountFrom(shared, ranks, count, from) - above;
        float missing = target - WeightFrom(shared, ranks, count, from + 1, largest), each = XMath.Exp(Score(from) - largest);
        int more = equal;
        if (each > 0)
        {
            more = IntrinsicMath.Clamp((int)XMath.Ceiling(missing / each), 1, equal);
        }

        return above + more;
    }

    // Those before which the weight does not reach the target yet.
    private static int FewEnough(ArrayView<float> shared, ArrayView<int> ranks, int count, float target, float largest)
    {
        float wanted = 0;
        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            float before = 0;
            for (int j = 0; j < count; j++)
            {
                if (ranks[j] > ranks[i] || (ranks[j] == ranks[i] && j < i))
                {
                    before += XMath.Exp(Score(ranks[j]) - largest);
                }
            }

            int one = ranks[i] > Hidden && before < target ? 1 : 0;
            wanted += one;
        }

        return (int)GroupReduce.Sum(shared, wanted);
    }

    /// <summary>
    /// Lists the largest, the smaller index first among equals, ascending, −1 after the last. Where scores have no order only one that is not a number, so
    /// that it shows.
    /// </summary>
    public static void Pick(
        ArrayView<float> shared, ArrayView<int> above, ArrayView<int> equal, ArrayView<int> ranks, int count, int keep, ArrayView<int> kept, int sinks, int first)
    {
        int from = Unordered, ties = 1;
        if (CountFrom(shared, ranks, count, Unordered) == 0)
        {
            from = Hidden + 1;
            ties = count;
            if (CountFrom(shared, ranks, count, Hidden + 1) > keep)
            {
                from = Threshold(shared, above, ranks, count, keep);
                ties = keep - CountFrom(shared, ranks, count, from + 1);
            }
        }

        // Each thread takes a stretch of the row; what those before it list is known from their counts.
        int each = (count + Group.DimX - 1) / Group.DimX, start = IntrinsicMath.Min(Group.IdxX * each, count), end = IntrinsicMath.Min(start + each, count);
        int larger = 0, same = 0;
        for (int i = start; i < end; i++)
        {
            larger += ranks[i] > from ? 1 : 0;
            same += ranks[i] == from ? 1 : 0;
        }

        Group.Barrier();
        above[Group.IdxX] = larger;
        equal[Group.IdxX] = same;
        Group.Barrier();
        int largerBefore = 0, sameBefore = 0, all = 0, allSame = 0;
        for (int i = 0; i < Group.DimX; i++)
        {
            if (i < Group.IdxX)
            {
                largerBefore += above[i];
                sameBefore += equal[i];
            }

            all += above[i];
            allSame += equal[i];
        }

        for (int i = start; i < end; i++)
        {
            bool isSame = ranks[i] == from;
            if (ranks[i] > from || (isSame && sameBefore < ties))
            {
                kept[largerBefore + IntrinsicMath.Min(sameBefore, ties)] = i < sinks ? i : i - sinks + first;
            }

            largerBefore += ranks[i] > from ? 1 : 0;
            sameBefore += isSame ? 1 : 0;
        }

        for (int i = all + IntrinsicMath.Min(allSame, ties) + Group.IdxX; i < kept.Length; i += Group.DimX)
        {
            kept[i] = -1;
        }
    }

    // The largest rank that so many reach.
    private static int Threshold(ArrayView<float> shared, ArrayView<int> found, ArrayView<int> ranks, int count, int keep)
    {
        if (count > Few)
        {
            int from = CountFrom(shared, ranks, count, 0) >= keep ? 0 : Hidden;
            for (int bit = 30; bit >= 0; bit--)
            {
                int next = from | (1 << bit);
                if (CountFrom(shared, ranks, count, next) >= keep)
                {
                    from = next;
                }
            }

            return from;
        }

        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            int before = 0;
            for (int j = 0; j < count; j++)
            {
                before += ranks[j] > ranks[i] || (ranks[j] == ranks[i] && j < i) ? 1 : 0;
            }

            if (before == keep - 1)
            {
                found[0] = ranks[i];
            }
        }

        Group.Barrier();
        return found[0];
    }

    private static int CountFrom(ArrayView<float> shared, ArrayView<int> ranks, int count, int from)
    {
        float sum = 0;
        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            int one = ranks[i] >= from ? 1 : 0;
            sum += one;
        }

        return (int)GroupReduce.Sum(shared, sum);
    }

    private static float WeightFrom(ArrayView<float> shared, ArrayView<int> ranks, int count, int from, float largest)
    {
        float sum = 0;
        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            if (ranks[i] >= from)
            {
                sum += XMath.Exp(Score(ranks[i]) - largest);
            }
        }

        return GroupReduce.Sum(shared, sum);
    }
}
