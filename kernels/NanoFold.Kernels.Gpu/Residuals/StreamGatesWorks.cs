using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Residuals;

/// <summary>Each token's rsqrt(mean(x²) + ε) over all its streams; a token a run of threads.</summary>
internal struct StreamInverseWork<T, TSum> : IGpuWork<StreamInverseWork<T, TSum>>
    where T : unmanaged, IElement<T>
    where TSum : struct, ILaneSum
{
    public ArrayView<T> X;
    public ArrayView<float> Statistics;
    public int Tokens, Row, Lanes;
    public float Epsilon;

    public static void Run(StreamInverseWork<T, TSum> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int run = Group.IdxX / w.Lanes, lane = Group.IdxX - (run * w.Lanes), token = (Grid.IdxX * (Group.DimX / w.Lanes)) + run;
        int width = token < w.Tokens ? w.Row : 0;
        float sum = 0;
        for (int i = lane; i < width; i += w.Lanes)
        {
            float x = T.Read(w.X[((long)token * w.Row) + i]);
            sum += x * x;
        }

        sum = TSum.Sum(shared, sum, w.Lanes);
        if (lane == 0 && token < w.Tokens)
        {
            w.Statistics[token] = 1 / MathF.Sqrt((sum / w.Row) + w.Epsilon);
        }
    }
}

/// <summary>pre, post and res of a token; a token a thread.</summary>
internal struct StreamGatesWork<T> : IGpuWork<StreamGatesWork<T>>
    where T : unmanaged, IElement<T>
{
    public GateLogits<T> Logits;
    public ArrayView<float> Pre, Post, Res;

    public static void Run(StreamGatesWork<T> work)
    {
        GateLogits<T> w = work.Logits;
        int token = (Grid.IdxX * Group.DimX) + Group.IdxX, n = w.Streams;
        if (token >= w.Tokens)
        {
            return;
        }

        GateLogits<T>.Write(w, token);
        for (int j = 0; j < n; j++)
        {
            work.Pre[((long)token * n) + j] = GateLogits<T>.Sigmoid(GateLogits<T>.Get(w, token, j));
            work.Post[((long)token * n) + j] = 2 * GateLogits<T>.Sigmoid(GateLogits<T>.Get(w, token, n + j));
        }

        int factors = GateLogits<T>.Factors(w, IntrinsicMath.Max(w.Rounds - 1, 0));
        for (int k = 0; k < n * n; k++)
        {
            float value = GateLogits<T>.Get(w, token, GateLogits<T>.Res(w) + k);
            if (w.Rounds > 0)
            {
                value *= GateLogits<T>.Get(w, token, factors + (k / n)) * GateLogits<T>.Get(w, token, factors + n + (k % n));
            }

            work.Res[((long)token * n * n) + k] = value;
        }
    }
}

/// <summary>dx (+)= slope x, a slope a token.</summary>
internal struct SlopeWork<T> : IGpuWork<SlopeWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, DX;
    public ArrayView<float> Slopes;
    public long Count;
    public int Row, Accumulate;

    public static void Run(SlopeWork<T> w)
    {
        long i = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        if (i < w.Count)
        {
            float value = w.Slopes[i / w.Row] * T.Read(w.X[i]);
            w.DX[i] = T.Write(w.Accumulate != 0 ? T.Read(w.DX[i]) + value : value);
        }
    }
}
