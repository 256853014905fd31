using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>pre = σ(α₀ z + b), post = 2 σ(α₁ z + b), res = Sinkhorn(α₂ z + b), z = y · rsqrt(mean(x²) + ε).</summary>
internal unsafe struct StreamGates : ILaneWork
{
    public CpuContext Context;
    public byte* X;
    public byte* Y;
    public void* Alpha;
    public void* Bias;
    public void* Statistics;
    public byte* Pre;
    public byte* Post;
    public byte* Res;
    public long Tokens;
    public int TokensPerItem;
    public int Streams;
    public int Width;
    public int Rounds;
    public double Epsilon;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long token = item * TokensPerItem, end = Math.Min(token + TokensPerItem, Tokens);
        int n = Streams, values = n * (n + 2);
        nint lane = V.Width * Element.Size<V>(), size = Element.Size<V>();
        byte* logits = (byte*)Context.Scratch(worker, (values + SinkhornLanes.Factors(n, Rounds) + 1) * lane);
        byte* factors = logits + (values * lane), inverse = factors + (SinkhornLanes.Factors(n, Rounds) * lane);
        for (; token < end; token += V.Width)
        {
            int count = (int)Math.Min(V.Width, end - token);
            for (int t = 0; t < count; t++)
            {
                void* x = X + ((nint)(token + t) * n * Width * size);
                Element.Set<V>(Statistics, token + t, 1 / Math.Sqrt((LaneSum.Of<LaneSum.Square, V>(x, null, null, default, n * Width) / (n * Width)) + Epsilon));
            }

            GateLanes.Logits<V>(Y, Alpha, Bias, Statistics, token, count, n, logits, inverse);
            for (int j = 0; j < n; j++)
            {
                V pre = LaneFormulas.Sigmoid(V.Load(logits, j * V.Width)), post = LaneFormulas.Sigmoid(V.Load(logits, (n + j) * V.Width));
                V.Store(logits, j * V.Width, pre);
                V.Store(logits, (n + j) * V.Width, post + post);
                Strides.Scatter<V>(logits + (j * lane), Pre + (((nint)token * n) + j) * size, 0, n, count);
                Strides.Scatter<V>(logits + ((n + j) * lane), Post + (((nint)token * n) + j) * size, 0, n, count);
            }

            byte* e = logits + (2 * n * lane);
            if (Rounds > 0)
            {
                SinkhornLanes.Forward<V>(e, factors, n, Rounds);
            }

            for (int k = 0; k < n * n; k++)
            {
                if (Rounds > 0)
                {
                    V.Store(e, k * V.Width, SinkhornLanes.Result<V>(e, factors, n, Rounds, k / n, k % n));
                }

                Strides.Scatter<V>(e + (k * lane), Res + (((nint)token * n * n) + k) * size, 0, n * n, count);
            }
        }
    }
}

/// <summary>What the two directions share: the logits of a lane of tokens.</summary>
internal static unsafe class GateLanes
{
    /// <summary>α z + b of <paramref name="count"/> tokens, element k of them in lane k; and their rsqrt in a lane. Elements after the tokens are those of z = 0.</summary>
    public static void Logits<V>(byte* y, void* alpha, void* bias, void* statistics, long token, int count, int n, byte* logits, byte* inverse)
        where V : struct, ICpuLane<V>
    {
        int values = n * (n + 2);
        V r = V.LoadPart(statistics, (nint)token, count);
        V.Store(inverse, 0, r);
        for (int k = 0; k < values; k++)
        {
            V.Store(logits, k * V.Width, Z<V>(y, token, count, values, k, r, logits + (k * V.Width * Element.Size<V>())) * V.Constant(Element.Get<V>(alpha, Part(k, n))) + V.Constant(Element.Get<V>(bias, k)));
        }
    }

    /// <summary>z of element k; <paramref name="room"/> is a lane.</summary>
    public static V Z<V>(byte* y, long token, int count, int values, int k, V inverse, void* room)
        where V : struct, ICpuLane<V>
    {
        V.Store(room, 0, V.Constant(0));
        Strides.Gather<V>(y + (((nint)token * values) + k) * Element.Size<V>(), 0, values, count, room);
        return V.Load(room, 0) * inverse;
    }

    /// <summary>Of the logit k: 0 of pre, 1 of post, 2 of res.</summary>
    public static int Part(int k, int n) => Math.Min(k / n, 2);
}
