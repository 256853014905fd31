using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Residuals;

/// <summary>The gradients of a token's logits, dy, and the slope of dx; a token a thread. The formulas are the CPU's.</summary>
internal struct StreamGatesBackwardWork<T> : IGpuWork<StreamGatesBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public GateLogits<T> Logits;
    public ArrayView<float> DPre, DPost, DRes, DLogits;
    public ArrayView<T> DY;
    public int Width, HasPre, HasPost, HasRes, HasY, AccumulateY;

    public static void Run(StreamGatesBackwardWork<T> work)
    {
        GateLogits<T> w = work.Logits;
        int token = (Grid.IdxX * Group.DimX) + Group.IdxX, n = w.Streams, d = GateLogits<T>.DLogits(w);
        if (token >= w.Tokens)
        {
            return;
        }

        GateLogits<T>.Write(w, token);
        for (int j = 0; j < n; j++)
        {
            float pre = GateLogits<T>.Sigmoid(GateLogits<T>.Get(w, token, j)), post = GateLogits<T>.Sigmoid(GateLogits<T>.Get(w, token, n + j));
            float dPre = work.HasPre != 0 ? work.DPre[((long)token * n) + j] : 0, dPost = work.HasPost != 0 ? work.DPost[((long)token * n) + j] : 0;
            GateLogits<T>.Set(w, token, d + j, dPre * pre * (1 - pre));
            GateLogits<T>.Set(w, token, d + n + j, dPost * 2 * post * (1 - post));
        }

        for (int k = 0; k < n * n; k++)
        {
            GateLogits<T>.Set(w, token, d + (2 * n) + k, work.HasRes != 0 ? work.DRes[((long)token * n * n) + k] : 0);
        }

        if (w.Rounds > 0)
        {
            SinkhornGradient<T>.Run(w, token);
        }

        Finish(work, w, token, d);
    }

    private static void Finish(in StreamGatesBackwardWork<T> work, in GateLogits<T> w, int token, int d)
    {
        int values = GateLogits<T>.Values(w), columns = values + 3;
        float inverse = w.Statistics[token], total = 0, part = 0;
        for (int k = 0; k < values; k++)
        {
            int of = GateLogits<T>.Part(w, k);
            float dl = GateLogits<T>.Get(w, token, d + k), z = GateLogits<T>.Z(w, token, k), alpha = T.Read(w.Alpha[of]);
            total += alpha * dl * z;
            part += dl * z;
            work.DLogits[((long)token * columns) + k] = dl;
            if (work.HasY != 0)
            {
                long at = ((long)token * values) + k;
                float dy = alpha * dl * inverse;
                work.DY[at] = T.Write(work.AccumulateY != 0 ? T.Read(work.DY[at]) + dy : dy);
            }

            if (k + 1 == values || GateLogits<T>.Part(w, k + 1) != of)
            {
                work.DLogits[((long)token * columns) + values + of] = part;
                part = 0;
            }
        }

        w.Scratch[GateLogits<T>.Slopes(w) + token] = -(total * inverse * inverse) / (w.Streams * work.Width);
    }
}

/// <summary>Makes the gradient of res that of its logits, back through the rounds.</summary>
internal static class SinkhornGradient<T>
    where T : unmanaged, IElement<T>
{
    public static void Run(in GateLogits<T> w, int token)
    {
        int n = w.Streams, e = GateLogits<T>.Res(w), du = GateLogits<T>.DFactors(w), dv = du + n, g = GateLogits<T>.DLogits(w) + (2 * n);
        int last = GateLogits<T>.Factors(w, w.Rounds - 1);
        for (int i = 0; i < 2 * n; i++)
        {
            GateLogits<T>.Set(w, token, du + i, 0);
        }

        for (int k = 0; k < n * n; k++)
        {
            float u = GateLogits<T>.Get(w, token, last + (k / n)), v = GateLogits<T>.Get(w, token, last + n + (k % n));
            float d = GateLogits<T>.Get(w, token, g + k), de = d * GateLogits<T>.Get(w, token, e + k);
            Add(w, token, du + (k / n), de * v);
            Add(w, token, dv + (k % n), de * u);
            GateLogits<T>.Set(w, token, g + k, d * u * v);
        }

        for (int round = w.Rounds - 1; round >= 0; round--)
        {
            Round(w, token, round);
        }

        for (int k = 0; k < n * n; k++)
        {
            GateLogits<T>.Set(w, token, g + k, GateLogits<T>.Get(w, token, g + k) * GateLogits<T>.Get(w, token, e + k));
        }
    }

    private static void Round(in GateLogits<T> w, int token, int round)
    {
        int n = w.Streams, e = GateLogits<T>.Res(w), du = GateLogits<T>.DFactors(w), dv = du + n, g = GateLogits<T>.DLogits(w) + (2 * n);
        int u = GateLogits<T>.Factors(w, round), v = u + n, before = GateLogits<T>.Factors(w, IntrinsicMath.Max(round - 1, 0)) + n;
        for (int j = 0; j < n; j++)
        {
            float factor = GateLogits<T>.Get(w, token, v + j), ds = -(GateLogits<T>.Get(w, token, dv + j) * factor * factor);
            for (int i = 0; i < n; i++)
            {
                Add(w, token, g + (i * n) + j, ds * GateLogits<T>.Get(w, token, u + i));
                Add(w, token, du + i, ds * GateLogits<T>.Get(w, token, e + (i * n) + j));
            }

            GateLogits<T>.Set(w, token, dv + j, 0);
        }

        for (int i = 0; i < n; i++)
        {
            float factor = GateLogits<T>.Get(w, token, u + i), dt = -(GateLogits<T>.Get(w, token, du + i) * factor * factor);
            for (int j = 0; j < n; j++)
            {
                Add(w, token, g + (i * n) + j, dt * (round > 0 ? GateLogits<T>.Get(w, token, before + j) : 1f));
                Add(w, token, dv + j, dt * GateLogits<T>.Get(w, token, e + (i * n) + j));
            }

            GateLogits<T>.Set(w, token, du + i, 0);
        }
    }

    private static void Add(in GateLogits<T> w, int token, int k, float value) => GateLogits<T>.Set(w, token, k, GateLogits<T>.Get(w, token, k) + value);
}
