using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>
/// Sinkhorn's rounds for as many matrices as a lane has elements, element (i, j) of all in one lane. Dividing rows, then columns, by their sums is scaling:
/// the result is u_i e_ij v_j with e = exp of the logits, u_i = 1 / Σ_j e_ij v_j and v_j = 1 / Σ_i e_ij u_i in turn, from v = 1. So a round costs two products
/// of matrix and vector, and what the backward pass needs of it is 2n numbers.
/// </summary>
internal static unsafe class SinkhornLanes
{
    // What rows or columns that vanish in single precision are taken to sum to.
    private const double Least = 1e-30;

    /// <summary>Room for the factors of all rounds, in lanes.</summary>
    public static int Factors(int n, int rounds) => 2 * n * rounds;

    /// <summary>Makes the logits e in place, and fills the factors [rounds, 2, n]: u, then v.</summary>
    public static void Forward<V>(void* e, void* factors, int n, int rounds)
        where V : struct, ICpuLane<V>
    {
        for (int i = 0; i < n; i++)
        {
            // Dividing rows takes a row's common factor out again.
            V largest = Get<V>(e, i * n);
            for (int j = 1; j < n; j++)
            {
                largest = V.Max(largest, Get<V>(e, (i * n) + j));
            }

            for (int j = 0; j < n; j++)
            {
                Set(e, (i * n) + j, V.Exp(Get<V>(e, (i * n) + j) - largest));
            }
        }

        V one = V.Constant(1), least = V.Constant(Least);
        for (int round = 0; round < rounds; round++)
        {
            int u = 2 * n * round, v = u + n, before = u - n;
            for (int i = 0; i < n; i++)
            {
                V sum = V.Constant(0);
                for (int j = 0; j < n; j++)
                {
                    V x = Get<V>(e, (i * n) + j);
                    sum = round == 0 ? sum + x : V.MultiplyAdd(x, Get<V>(factors, before + j), sum);
                }

                Set(factors, u + i, one / V.Max(sum, least));
            }

            for (int j = 0; j < n; j++)
            {
                V sum = V.Constant(0);
                for (int i = 0; i < n; i++)
                {
                    sum = V.MultiplyAdd(Get<V>(e, (i * n) + j), Get<V>(factors, u + i), sum);
                }

                Set(factors, v + j, one / V.Max(sum, least));
            }
        }
    }

    /// <summary>u_i e_ij v_j of the last round.</summary>
    public static V Result<V>(void* e, void* factors, int n, int rounds, int i, int j)
        where V : struct, ICpuLane<V>
    {
        int u = 2 * n * (rounds - 1);
        return Get<V>(factors, u + i) * Get<V>(e, (i * n) + j) * Get<V>(factors, u + n + j);
    }

    /// <summary>Makes the gradient of the result, g, that of the logits in place.</summary>
    /// <param name="e">As <see cref="Forward"/> left it.</param>
    /// <param name="factors">As <see cref="Forward"/> left them.</param>
    /// <param name="g">n · n lanes.</param>
    /// <param name="room">2n lanes.</param>
    /// <param name="n">Rows and columns.</param>
    /// <param name="rounds">As there.</param>
    public static void Backward<V>(void* e, void* factors, void* g, void* room, int n, int rounds)
        where V : struct, ICpuLane<V>
    {
        int du = 0, dv = n, last = 2 * n * (rounds - 1);
        for (int i = 0; i < 2 * n; i++)
        {
            Set(room, i, V.Constant(0));
        }

        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                int at = (i * n) + j;
                V u = Get<V>(factors, last + i), v = Get<V>(factors, last + n + j), d = Get<V>(g, at), de = d * Get<V>(e, at);
                Set(room, du + i, V.MultiplyAdd(de, v, Get<V>(room, du + i)));
                Set(room, dv + j, V.MultiplyAdd(de, u, Get<V>(room, dv + j)));
                Set(g, at, d * u * v);
            }
        }

        for (int round = rounds - 1; round >= 0; round--)
        {
            int u = 2 * n * round, v = u + n, before = u - n;
            for (int j = 0; j < n; j++)
            {
                // v_j = 1 / s_j, s_j = Σ_i e_ij u_i.
                V factor = Get<V>(factors, v + j), ds = -(Get<V>(room, dv + j) * factor * factor);
                for (int i = 0; i < n; i++)
                {
                    int at = (i * n) + j;
                    Set(g, at, V.MultiplyAdd(ds, Get<V>(factors, u + i), Get<V>(g, at)));
                    Set(room, du + i, V.MultiplyAdd(ds, Get<V>(e, at), Get<V>(room, du + i)));
                }

                Set(room, dv + j, V.Constant(0));
            }

            for (int i = 0; i < n; i++)
            {
                // u_i = 1 / t_i, t_i = Σ_j e_ij v_j with v of the round before.
                V factor = Get<V>(factors, u + i), dt = -(Get<V>(room, du + i) * factor * factor);
                for (int j = 0; j < n; j++)
                {
                    int at = (i * n) + j;
                    Set(g, at, round == 0 ? Get<V>(g, at) + dt : V.MultiplyAdd(dt, Get<V>(factors, before + j), Get<V>(g, at)));
                    Set(room, dv + j, V.MultiplyAdd(dt, Get<V>(e, at), Get<V>(room, dv + j)));
                }

                Set(room, du + i, V.Constant(0));
            }
        }

        for (int at = 0; at < n * n; at++)
        {
            Set(g, at, Get<V>(g, at) * Get<V>(e, at));
        }
    }

    private static V Get<V>(void* lanes, int index)
        where V : struct, ICpuLane<V>
        => V.Load(lanes, (nint)index * V.Width);

    private static void Set<V>(void* lanes, int index, V value)
        where V : struct, ICpuLane<V>
        => V.Store(lanes, (nint)index * V.Width, value);
}
