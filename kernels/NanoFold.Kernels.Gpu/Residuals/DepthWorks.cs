using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Residuals;

/// <summary>Operands of <see cref="DepthScoreWork{T, TSum}"/>.</summary>
internal struct DepthScoreOperands<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Value, Query, Gain, DY;

    /// <summary>Those of the value's first token; <see cref="Stride"/> on are the next one's.</summary>
    public ArrayView<float> Products;
    public int Tokens, Width, Stride, Lanes, IsBackward;
    public float Epsilon;
}

/// <summary>A value's scores ⟨query ⊙ gain, v⟩ · rsqrt; backward ⟨query ⊙ gain, v⟩, the rsqrt and ⟨dy, v⟩. A token a run of threads.</summary>
internal struct DepthScoreWork<T, TSum> : IGpuWork<DepthScoreWork<T, TSum>>
    where T : unmanaged, IElement<T>
    where TSum : struct, ILaneSum
{
    public DepthScoreOperands<T> Operands;

    public static void Run(DepthScoreWork<T, TSum> work)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        DepthScoreOperands<T> w = work.Operands;
        int run = Group.IdxX / w.Lanes, lane = Group.IdxX - (run * w.Lanes), token = (Grid.IdxX * (Group.DimX / w.Lanes)) + run;
        int width = token < w.Tokens ? w.Width : 0;
        long row = (long)token * w.Width;
        float dot = 0, squares = 0, gradient = 0;
        for (int c = lane; c < width; c += w.Lanes)
        {
            float v = T.Read(w.Value[row + c]);
            dot += T.Read(w.Query[c]) * T.Read(w.Gain[c]) * v;
            squares += v * v;
            gradient += w.IsBackward != 0 ? T.Read(w.DY[row + c]) * v : 0;
        }

        dot = TSum.Sum(shared, dot, w.Lanes);
        float inverse = 1 / MathF.Sqrt((TSum.Sum(shared, squares, w.Lanes) / w.Width) + w.Epsilon);
        gradient = TSum.Sum(shared, gradient, w.Lanes);
        if (lane == 0 && token < w.Tokens)
        {
            long at = (long)token * w.Stride;
            if (w.IsBackward != 0)
            {
                w.Products[at] = dot;
                w.Products[at + 1] = inverse;
                w.Products[at + 2] = gradient;
            }
            else
            {
                w.Products[at] = dot * inverse;
            }
        }
    }
}

/// <summary>Softmax over a token's scores in place; a token a thread.</summary>
internal struct DepthSoftmaxWork : IGpuWork<DepthSoftmaxWork>
{
    public ArrayView<float> Weights;
    public int Tokens, Count;

    public static void Run(DepthSoftmaxWork w)
    {
        int token = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (token >= w.Tokens)
        {
            return;
        }

        long row = (long)token * w.Count;
        float most = w.Weights[row], sum = 0;
        for (int i = 1; i < w.Count; i++)
        {
            most = IntrinsicMath.Max(most, w.Weights[row + i]);
        }

        for (int i = 0; i < w.Count; i++)
        {
            float power = XMath.Exp(w.Weights[row + i] - most);
            w.Weights[row + i] = power;
            sum += power;
        }

        for (int i = 0; i < w.Count; i++)
        {
            w.Weights[row + i] = w.Weights[row + i] / sum;
        }
    }
}

/// <summary>y (+)= p v of one value; an element a thread.</summary>
internal struct DepthSumWork<T> : IGpuWork<DepthSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Value, Y;
    public ArrayView<float> Weights;
    public long Count;
    public int Width, Stride, Accumulate;

    public static void Run(DepthSumWork<T> w)
    {
        long i = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        if (i < w.Count)
        {
            float value = w.Weights[i / w.Width * w.Stride] * T.Read(w.Value[i]);
            w.Y[i] = T.Write(w.Accumulate != 0 ? T.Read(w.Y[i]) + value : value);
        }
    }
}
