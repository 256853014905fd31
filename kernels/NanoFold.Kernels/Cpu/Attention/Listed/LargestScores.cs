using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>
/// Selection of a row's largest scores without sorting it. A threshold is found by halving the range of values and counting in lanes, without a branch
/// on a score; what lies above it is picked in order of index.
/// </summary>
internal static unsafe class LargestScores
{
    /// <summary>Scores below count as invisible, as −∞ does.</summary>
    private const double Lowest = -3e38;

    /// <summary>The largest <paramref name="keep"/> of the scores that are not −∞, the smaller index first among equals; fewer where there are fewer.</summary>
    /// <param name="scores">Contiguous, with room up to whole lanes.</param>
    /// <param name="count">How many.</param>
    /// <param name="keep">How many to keep at most.</param>
    /// <param name="kept">Room for <paramref name="keep"/>; gets indices, ascending.</param>
    /// <param name="unordered">An index whose score is not a number or +∞: there is no order then, and nothing is kept; −1 otherwise.</param>
    /// <returns>How many are kept.</returns>
    public static int Select<V>(void* scores, int count, int keep, int* kept, out int unordered)
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

        unordered = -1;
        if (V.Sum(check) != 0)
        {
            unordered = Unordered<V>(scores, count);
            return 0;
        }

        double threshold = Lowest;
        int ties = 0;
        if ((int)V.Sum(seen) > keep)
        {
            threshold = Threshold<V>(scores, padded, keep, -V.Largest(-minimum), V.Largest(maximum), out ties);
        }

        return Pick<V>(scores, padded, threshold, ties, kept);
    }

    /// <summary>
    /// Of what <see cref="Select{V}"/> kept the smallest set of largest scores whose exponentials reach a share of those of the whole row, no fewer
    /// than <paramref name="floor"/>.
    /// </summary>
    /// <param name="scores">The whole row, as it was selected from.</param>
    /// <param name="count">How many.</param>
    /// <param name="mass">The share.</param>
    /// <param name="floor">How many are kept at least, of those that there are.</param>
    /// <param name="kept">What was kept; gets what stays.</param>
    /// <param name="size">How many those were.</param>
    /// <param name="values">Room for whole lanes of <paramref name="size"/> elements.</param>
    /// <param name="picked">Room for <paramref name="size"/>.</param>
    /// <returns>How many stay.</returns>
    public static int Shrink<V>(void* scores, int count, double mass, int floor, int* kept, int size, void* values, int* picked)
        where V : struct, ICpuLane<V>
    {
        if (size <= floor)
        {
            return size;
        }

        int padded = LaneSize.Of<V>().Padded(size);
        double low = double.PositiveInfinity, high = double.NegativeInfinity;
        for (int i = 0; i < size; i++)
        {
            double value = Element.Get<V>(scores, kept[i]);
            Element.Set<V>(values, i, value);
            low = Math.Min(low, value);
            high = Math.Max(high, value);
        }

        Element.Fill<V>(Element.At<V>(values, size), padded - size, double.NegativeInfinity);
        V maximum = V.Constant(high), sum = default;
        for (nint i = 0; i < count; i += V.Width)
        {
            sum += SoftmaxExp.Of(V.Load(scores, i) - maximum);
        }

        double threshold = Lowest;
        int wanted = Math.Max(floor, Enough<V>(values, padded, size, mass * V.Sum(sum), low, high)), ties = 0;
        if (wanted < size)
        {
            threshold = Threshold<V>(values, padded, wanted, low, high, out ties);
        }

        int stay = Pick<V>(values, padded, threshold, ties, picked);
        for (int i = 0; i < stay; i++)
        {
            kept[i] = kept[picked[i]];
        }

        return stay;
    }

    // The fewest of the largest values, between low and high, whose weights reach the target; all where they do not.
    private static int Enough<V>(void* values, int padded, int size, double target, double low, double high)
        where V : struct, ICpuLane<V>
    {
        double maximum = high, weightAboveHigh = 0, weight = WeightAbove<V>(values, padded, low, maximum, out int aboveLow);
        int aboveHigh = 0;
        if (weight < target)
        {
            (high, weightAboveHigh, aboveHigh, aboveLow) = (low, weight, aboveLow, size);
        }

        // What is above low reaches the target, what is above high does not: until one value is left in between, perhaps several times.
        while (aboveLow - aboveHigh > 1)
        {
            double middle;
            Element.Set<V>(&middle, 0, 0.5 * low + 0.5 * high);
            middle = Element.Get<V>(&middle, 0);
            if (!(middle > low && middle < high))
            {
                double each = PortableMath.Exp(high - maximum);
                int equal = aboveLow - aboveHigh;
                return aboveHigh + (each > 0 ? (int)Math.Clamp(Math.Ceiling((target - weightAboveHigh) / each), 1, equal) : equal);
            }

            weight = WeightAbove<V>(values, padded, middle, maximum, out int above);
            if (weight >= target)
            {
                (low, aboveLow) = (middle, above);
            }
            else
            {
                (high, weightAboveHigh, aboveHigh) = (middle, weight, above);
            }
        }

        return aboveLow;
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

    private static double WeightAbove<V>(void* values, int padded, double threshold, double maximum, out int above)
        where V : struct, ICpuLane<V>
    {
        V zero = default, one = V.Constant(1), limit = V.Constant(threshold), highest = V.Constant(maximum), count = default, weight = default;
        for (nint i = 0; i < padded; i += V.Width)
        {
            V x = V.Load(values, i);
            weight += V.SelectGreater(x, limit, SoftmaxExp.Of(x - highest), zero);
            count += V.SelectGreater(x, limit, one, zero);
        }

        above = (int)V.Sum(count);
        return V.Sum(weight);
    }

    /// <summary>Indices of what is above the threshold, and of the first that equal it, ascending.</summary>
    private static int Pick<V>(void* scores, int padded, double threshold, int ties, int* kept)
        where V : struct, ICpuLane<V>
    {
        V limit = V.Constant(threshold);
        int size = 0;
        for (int i = 0; i < padded; i += V.Width)
        {
            V x = V.Load(scores, i);
            uint above = LaneBits.Greater(x, limit);
            for (uint bits = ties > 0 ? LaneBits.NotLess(x, limit) : above; bits != 0; bits &= bits - 1)
            {
                int lane = System.Numerics.BitOperations.TrailingZeroCount(bits);
                if ((above >> lane & 1) == 0 && ties-- <= 0)
                {
                    continue;
                }

                kept[size++] = i + lane;
            }
        }

        return size;
    }

    private static int Unordered<V>(void* scores, int count)
        where V : struct, ICpuLane<V>
    {
        int i = 0;
        while (i < count - 1 && Element.Get<V>(scores, i) < double.PositiveInfinity)
        {
            i++;
        }

        return i;
    }
}
