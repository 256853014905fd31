using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// The unit triangular systems of the delta rule in a chunk, by substitution in tiles of rows: what earlier tiles bring is a product, inside a tile row follows on row.
/// </summary>
internal static unsafe class Substitution
{
    private const int Chunk = RecurrentHeadsShape.Chunk, Rows = ChunkProducts.Rows;

    /// <summary>e_t = e_t + Σ_{s&lt;t} M[t, s] u_s with u = beta · e: what the values of a chunk are beside what the state gives, M = −k kᵀ with its factors.</summary>
    public static void Forward<V>(ChunkProducts products, void* m, void* betas, void* e, void* u, int count, int width)
        where V : struct, ICpuLane<V>
    {
        var values = Right.InRows<V>(u, width);
        for (int first = 0; first < count; first += Rows)
        {
            int rows = Math.Min(Rows, count - first);
            if (first > 0)
            {
                products.Strip<V>(new Left(m, Chunk).From<V>(first, 0), rows, first, values, values.Lanes, Element.At<V>(e, (nint)first * width), width, accumulate: true);
            }

            for (nint i = 0; i < width; i += V.Width)
            {
                for (int t = first; t < first + rows; t++)
                {
                    V sum = V.Load(e, ((nint)t * width) + i);
                    for (int s = first; s < t; s++)
                    {
                        sum = V.MultiplyAdd(V.Splat(m, ((nint)t * Chunk) + s), V.Load(u, ((nint)s * width) + i), sum);
                    }

                    V.Store(e, ((nint)t * width) + i, sum);
                    V.Store(u, ((nint)t * width) + i, sum * V.Splat(betas, t));
                }
            }
        }
    }

    /// <summary>z_s = z_s + Σ_{t&gt;s} M[t, s] w_t with w = −beta · z, from the last place to the first; M = k kᵀ with its factors.</summary>
    public static void Backward<V>(ChunkProducts products, void* m, void* betas, void* z, void* w, int count, int width)
        where V : struct, ICpuLane<V>
    {
        Left transposed = new(m, 1, Chunk);
        var values = Right.InRows<V>(w, width);
        for (int first = (count - 1) / Rows * Rows; first >= 0; first -= Rows)
        {
            int rows = Math.Min(Rows, count - first), later = first + rows;
            if (later < count)
            {
                products.Strip<V>(
                    transposed.From<V>(first, later), rows, count - later, values.From<V>(later), values.Lanes, Element.At<V>(z, (nint)first * width), width, accumulate: true);
            }

            for (nint i = 0; i < width; i += V.Width)
            {
                for (int s = later - 1; s >= first; s--)
                {
                    V sum = V.Load(z, ((nint)s * width) + i);
                    for (int t = s + 1; t < later; t++)
                    {
                        sum = V.MultiplyAdd(V.Splat(m, ((nint)t * Chunk) + s), V.Load(w, ((nint)t * width) + i), sum);
                    }

                    V.Store(z, ((nint)s * width) + i, sum);
                    V.Store(w, ((nint)s * width) + i, -(sum * V.Splat(betas, s)));
                }
            }
        }
    }
}
