using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// The smallest blocks of <see cref="ElementBlocks"/>, pair by pair: from a place back to earlier ones, the factors gather in what it reads with. Rows of factors, q and
/// k are whole lanes, four of them at once where there are as many.
/// </summary>
internal static unsafe class ElementPairs
{
    /// <summary>Places of a block; no lane has more elements.</summary>
    public const int Size = 16;

    private const int Chunk = RecurrentHeadsShape.Chunk;

    /// <summary>Scores of a block of places, and sign · those of k and k for s &lt; t where <paramref name="ofKeys"/> is not null; 0 in the rest of the block.</summary>
    public static void Scores<V>(void* factors, void* q, void* k, int width, int first, int count, void* scores, void* ofKeys, double sign)
        where V : struct, ICpuLane<V>
    {
        for (int t = first; t < first + count; t++)
        {
            void* row = Element.At<V>(scores, (nint)t * Chunk), keyRow = ofKeys is null ? null : Element.At<V>(ofKeys, (nint)t * Chunk);
            for (int i = 0; i < Size; i += V.Width)
            {
                V.Store(row, first + i, V.Constant(0));
                if (keyRow is not null)
                {
                    V.Store(keyRow, first + i, V.Constant(0));
                }
            }

            for (int d = 0, lanes; d < width; d += lanes * V.Width)
            {
                lanes = d + (4 * V.Width) <= width ? 4 : 1;
                Row(lanes, factors, q, k, width, d, first, t, row, V.Constant(1), withOwn: true);
                if (keyRow is not null)
                {
                    Row(lanes, factors, k, k, width, d, first, t, keyRow, V.Constant(sign), withOwn: false);
                }
            }
        }
    }

    /// <summary>Adds what the gradients of a block's scores bring to dq, to k as it is read (of t) and as it is written (of s).</summary>
    public static void Gradients<V>(
        void* factors, void* q, void* k, int width, int first, int count, void* dScores, void* dOfKeys, void* dq, void* dRead, void* dWritten)
        where V : struct, ICpuLane<V>
    {
        int last = first + count - 1;
        for (int d = 0, lanes; d < width; d += lanes * V.Width)
        {
            lanes = d + (4 * V.Width) <= width ? 4 : 1;
            void* a = Element.At<V>(factors, d), x = Element.At<V>(q, d), y = Element.At<V>(k, d);
            for (int t = first; t <= last; t++)
            {
                void* row = Element.At<V>(dScores, (nint)t * Chunk);
                Sum<V>(lanes, a, width, y, row, 1, null, null, first, t + 1, 1, Element.At<V>(dq, ((nint)t * width) + d), null);
                if (dOfKeys is not null)
                {
                    row = Element.At<V>(dOfKeys, (nint)t * Chunk);
                    Sum<V>(lanes, a, width, y, row, 1, null, null, first, t, 1, Element.At<V>(dRead, ((nint)t * width) + d), Element.At<V>(a, (nint)t * width));
                }

                // Of the writer t what comes from the last place back to it, its factors one place later.
                void* later = Element.At<V>(a, width), column = Element.At<V>(dScores, t), keyColumn = dOfKeys is null ? null : Element.At<V>(dOfKeys, t);
                Sum<V>(lanes, later, width, x, column, Chunk, y, keyColumn, last, t - 1, -1, Element.At<V>(dWritten, ((nint)t * width) + d), null);
            }
        }
    }

    /// <summary>
    /// row[s] (+)= Σ_d x_t[d] k_s[d] a_{s+1}[d] … a_t[d] over one or four lanes of d, for s from t down to first, by fours; s = t stays 0 where it is not wanted.
    /// </summary>
    private static void Row<V>(int lanes, void* factors, void* x, void* k, int width, int d, int first, int t, void* row, V sign, bool withOwn)
        where V : struct, ICpuLane<V>
    {
        var reader = new Reader<V>(x, ((nint)t * width) + d, lanes, sign);
        bool add = d > 0;
        int s = t;
        if (!withOwn)
        {
            reader.Fade(factors, ((nint)s * width) + d, lanes);
            s--;
        }

        // Fours that end at a multiple of four.
        for (; s >= first && (s - first) % 4 != 3; s--)
        {
            LaneSums.One(reader.Meet(k, factors, ((nint)s * width) + d, lanes), row, s, add);
        }

        for (; s >= first; s -= 4)
        {
            nint at = ((nint)s * width) + d;
            V last = reader.Meet(k, factors, at, lanes), third = reader.Meet(k, factors, at - width, lanes);
            V second = reader.Meet(k, factors, at - (2 * width), lanes);
            LaneSums.Four(reader.Meet(k, factors, at - (3 * width), lanes), second, third, last, row, s - 3, add);
        }
    }

    /// <summary>What a place reads with, on its way back: one lane, or four side by side.</summary>
    private struct Reader<V>
        where V : struct, ICpuLane<V>
    {
        private V _x0, _x1, _x2, _x3;

        public Reader(void* x, nint at, int lanes, V sign)
        {
            _x0 = V.Load(x, at) * sign;
            if (lanes == 4)
            {
                _x1 = V.Load(x, at + V.Width) * sign;
                _x2 = V.Load(x, at + (2 * V.Width)) * sign;
                _x3 = V.Load(x, at + (3 * V.Width)) * sign;
            }
        }

        /// <summary>The products with k of a place, still to be summed; then its factors are taken up.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Meet(void* k, void* factors, nint at, int lanes)
        {
            V sum = _x0 * V.Load(k, at);
            if (lanes == 4)
            {
                sum = V.MultiplyAdd(_x1, V.Load(k, at + V.Width), sum);
                V high = V.MultiplyAdd(_x3, V.Load(k, at + (3 * V.Width)), _x2 * V.Load(k, at + (2 * V.Width)));
                sum += high;
            }

            Fade(factors, at, lanes);
            return sum;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Fade(void* factors, nint at, int lanes)
        {
            _x0 *= V.Load(factors, at);
            if (lanes == 4)
            {
                _x1 *= V.Load(factors, at + V.Width);
                _x2 *= V.Load(factors, at + (2 * V.Width));
                _x3 *= V.Load(factors, at + (3 * V.Width));
            }
        }
    }

    /// <summary>
    /// target += end ⊙ (… (c_0 x_0 ⊙ f_1 + c_1 x_1) ⊙ f_2 + …): places from <paramref name="from"/> to before <paramref name="to"/>, which may lie backwards, their
    /// coefficients a step apart; with second coefficients of y where they are given, but for the last place. Factors of elements, end null for 1.
    /// </summary>
    private static void Sum<V>(
        int lanes, void* factors, int width, void* x, void* coefficients, nint step, void* y, void* second, int from, int to, int by, void* target, void* end)
        where V : struct, ICpuLane<V>
    {
        nint w = V.Width;
        V s0 = V.Constant(0), s1 = s0, s2 = s0, s3 = s0;
        for (int i = from; i != to; i += by)
        {
            nint at = (nint)i * width;
            V c = V.Splat(coefficients, i * step);
            bool fades = i != from;
            bool both = second is not null && i != to - by;
            V other = both ? V.Splat(second, i * step) : c;
            s0 = Next(s0, factors, x, y, at, c, other, fades, both);
            if (lanes == 4)
            {
                s1 = Next(s1, factors, x, y, at + w, c, other, fades, both);
                s2 = Next(s2, factors, x, y, at + (2 * w), c, other, fades, both);
                s3 = Next(s3, factors, x, y, at + (3 * w), c, other, fades, both);
            }
        }

        Finish(target, 0, s0, end);
        if (lanes == 4)
        {
            Finish(target, w, s1, end);
            Finish(target, 2 * w, s2, end);
            Finish(target, 3 * w, s3, end);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Next<V>(V sum, void* factors, void* x, void* y, nint at, V coefficient, V second, bool fades, bool both)
        where V : struct, ICpuLane<V>
    {
        V added = coefficient * V.Load(x, at);
        sum = fades ? V.MultiplyAdd(sum, V.Load(factors, at), added) : added;
        return both ? V.MultiplyAdd(second, V.Load(y, at), sum) : sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<V>(void* target, nint at, V sum, void* end)
        where V : struct, ICpuLane<V>
        => V.Store(target, at, V.Load(target, at) + (end is null ? sum : sum * V.Load(end, at)));
}
