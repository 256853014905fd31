using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>A pass over a block of scores that decay or level off, which the end of a tile cannot know: they become P, the gradients of P those of scores.</summary>
internal static unsafe class ScoreSlopes
{
    /// <param name="mask">What is visible.</param>
    /// <param name="scores">In bits, −∞ where hidden, [keys, row].</param>
    /// <param name="gradients">Of P, [keys, row].</param>
    /// <param name="logSumExp">Of the columns, in bits.</param>
    /// <param name="delta">rowsum(dy ⊙ y) of the columns.</param>
    /// <param name="cap">In bits; 0 for none.</param>
    public static void Of<V>(in BlockMask mask, void* scores, void* gradients, nint row, void* logSumExp, void* delta, double cap)
        where V : struct, ICpuLane<V>
    {
        for (int c = 0; c < mask.Columns; c += V.Width)
        {
            int low = mask.KeyLow(c), high = mask.KeyHigh(Math.Min(c + V.Width, mask.Columns) - 1);
            void* p = Element.At<V>(scores, c), ds = Element.At<V>(gradients, c);
            if (cap > 0)
            {
                Capped(p, ds, row, low, high, V.Load(logSumExp, c), V.Load(delta, c), V.Constant(cap));
            }
            else
            {
                Plain(p, ds, row, low, high, V.Load(logSumExp, c), V.Load(delta, c));
            }

            mask.ZeroTiles<V>(p, row, c, low, high);
            mask.ZeroTiles<V>(ds, row, c, low, high);
        }
    }

    /// <summary>P = 2^(S − lse) and dS = P · (dP − delta).</summary>
    private static void Plain<V>(void* scores, void* gradients, nint row, int low, int high, V logSumExp, V delta)
        where V : struct, ICpuLane<V>
    {
        for (nint j = low, i = low * row; j < high; j++, i += row)
        {
            V p = SoftmaxPower.Of(V.Load(scores, i) - logSumExp);
            V.Store(scores, i, p);
            V.Store(gradients, i, p * (V.Load(gradients, i) - delta));
        }
    }

    /// <summary>The same of scores c · tanh(s / c), whose slope is 1 − (score / c)²; a hidden one, −∞, has the weight 0.</summary>
    private static void Capped<V>(void* scores, void* gradients, nint row, int low, int high, V logSumExp, V delta, V cap)
        where V : struct, ICpuLane<V>
    {
        V per = V.Constant(1) / cap;
        for (nint j = low, i = low * row; j < high; j++, i += row)
        {
            V score = V.Load(scores, i), p = SoftmaxPower.Of(score - logSumExp), share = V.Max(score * per, V.Constant(-1));
            V.Store(scores, i, p);
            V.Store(gradients, i, p * (V.Load(gradients, i) - delta) * (V.Constant(1) - share * share));
        }
    }
}
