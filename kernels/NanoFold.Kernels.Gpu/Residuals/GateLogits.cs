using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Residuals;

/// <summary>
/// A token's logits α z + b, and Sinkhorn's rounds on those of res: see the CPU's, whose formulas these are. Number k of token t lies at k · N + t of the
/// scratch memory, so that threads beside each other read and write side by side.
/// </summary>
internal struct GateLogits<T>
    where T : unmanaged, IElement<T>
{
    // What rows or columns that vanish in single precision are taken to sum to.
    private const float Least = 1e-30f;

    public ArrayView<T> Y, Alpha, Bias;
    public ArrayView<float> Statistics, Scratch;
    public int Tokens, Streams, Rounds, Keeps;

    public static int Values(in GateLogits<T> w) => w.Streams * (w.Streams + 2);

    /// <summary>Where res begins.</summary>
    public static int Res(in GateLogits<T> w) => 2 * w.Streams;

    /// <summary>Where the factors u, then v, of a round begin; without keeping them each round's are written over the one's before.</summary>
    public static int Factors(in GateLogits<T> w, int round) => Values(w) + (2 * w.Streams * (w.Keeps != 0 ? round : 0));

    /// <summary>Where the gradients of u, then v, begin; kept ones only, as what follows.</summary>
    public static int DFactors(in GateLogits<T> w) => Factors(w, w.Rounds);

    /// <summary>Where the gradients of the logits begin.</summary>
    public static int DLogits(in GateLogits<T> w) => DFactors(w) + (2 * w.Streams);

    /// <summary>The first of the tokens' slopes.</summary>
    public static long Slopes(in GateLogits<T> w) => (long)(DLogits(w) + Values(w)) * w.Tokens;

    public static float Get(in GateLogits<T> w, int token, int k) => w.Scratch[((long)k * w.Tokens) + token];

    public static void Set(in GateLogits<T> w, int token, int k, float value) => w.Scratch[((long)k * w.Tokens) + token] = value;

    public static int Part(in GateLogits<T> w, int k) => IntrinsicMath.Min(k / w.Streams, 2);

    /// <summary>z of a logit.</summary>
    public static float Z(in GateLogits<T> w, int token, int k) => T.Read(w.Y[((long)token * Values(w)) + k]) * w.Statistics[token];

    public static float Sigmoid(float x)
    {
        float e = XMath.Exp(-IntrinsicMath.Abs(x)), small = e / (1 + e);
        return x < 0f ? small : 1 - small;
    }

    /// <summary>Writes the logits, and makes those of res what the rounds begin with.</summary>
    public static void Write(in GateLogits<T> w, int token)
    {
        for (int k = 0; k < Values(w); k++)
        {
            Set(w, token, k, (T.Read(w.Alpha[Part(w, k)]) * Z(w, token, k)) + T.Read(w.Bias[k]));
        }

        for (int i = 0; i < w.Streams && w.Rounds > 0; i++)
        {
            int row = Res(w) + (i * w.Streams);
            float most = Get(w, token, row);
            for (int j = 1; j < w.Streams; j++)
            {
                most = IntrinsicMath.Max(most, Get(w, token, row + j));
            }

            for (int j = 0; j < w.Streams; j++)
            {
                Set(w, token, row + j, XMath.Exp(Get(w, token, row + j) - most));
            }
        }

        for (int round = 0; round < w.Rounds; round++)
        {
            Round(w, token, round);
        }
    }

    private static void Round(in GateLogits<T> w, int token, int round)
    {
        int n = w.Streams, u = Factors(w, round), before = Factors(w, IntrinsicMath.Max(round - 1, 0)) + n;
        for (int i = 0; i < n; i++)
        {
            float sum = 0;
            for (int j = 0; j < n; j++)
            {
                sum += Get(w, token, Res(w) + (i * n) + j) * (round > 0 ? Get(w, token, before + j) : 1f);
            }

            Set(w, token, u + i, 1 / IntrinsicMath.Max(sum, Least));
        }

        for (int j = 0; j < n; j++)
        {
            float sum = 0;
            for (int i = 0; i < n; i++)
            {
                sum += Get(w, token, Res(w) + (i * n) + j) * Get(w, token, u + i);
            }

            Set(w, token, u + n + j, 1 / IntrinsicMath.Max(sum, Least));
        }
    }
}
