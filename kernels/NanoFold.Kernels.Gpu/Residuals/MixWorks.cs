using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Residuals;

/// <summary>y_i (+)= Σ_j A_ij x_j + b_i f; a channel of a token a thread.</summary>
internal struct MixWork<T, TCoefficient> : IGpuWork<MixWork<T, TCoefficient>>
    where T : unmanaged, IElement<T>
    where TCoefficient : unmanaged, IElement<TCoefficient>
{
    public ArrayView<T> X, Y, F;
    public ArrayView<TCoefficient> A, B;
    public int ARow, AColumn, AToken, BRow, BToken, Tokens, Inputs, Outputs, Width, HasF, Accumulate;

    public static void Run(MixWork<T, TCoefficient> w)
    {
        long i = ((long)Grid.IdxX * Group.DimX) + Group.IdxX;
        int token = (int)(i / w.Width), channel = (int)(i - ((long)token * w.Width));
        if (token >= w.Tokens)
        {
            return;
        }

        long x = ((long)token * w.Inputs * w.Width) + channel, y = ((long)token * w.Outputs * w.Width) + channel;
        float f = w.HasF != 0 ? T.Read(w.F[i]) : 0;
        for (int output = 0; output < w.Outputs; output++)
        {
            long a = ((long)token * w.AToken) + ((long)output * w.ARow), at = y + ((long)output * w.Width);
            float sum = w.HasF != 0 ? TCoefficient.Read(w.B[((long)token * w.BToken) + ((long)output * w.BRow)]) * f : 0;
            for (int input = 0; input < w.Inputs; input++)
            {
                sum += TCoefficient.Read(w.A[a + ((long)input * w.AColumn)]) * T.Read(w.X[x + ((long)input * w.Width)]);
            }

            w.Y[at] = T.Write(w.Accumulate != 0 ? T.Read(w.Y[at]) + sum : sum);
        }
    }
}

/// <summary>dots[token, i, j] (+)= ⟨dy_i, x_j⟩; a product a run of threads.</summary>
internal struct MixDotWork<T, TSum, TCoefficient> : IGpuWork<MixDotWork<T, TSum, TCoefficient>>
    where T : unmanaged, IElement<T>
    where TSum : struct, ILaneSum
    where TCoefficient : unmanaged, IElement<TCoefficient>
{
    public ArrayView<T> DY, X;
    public ArrayView<TCoefficient> Dots;
    public int Count, Inputs, Outputs, Width, Lanes, Accumulate;

    public static void Run(MixDotWork<T, TSum, TCoefficient> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int run = Group.IdxX / w.Lanes, lane = Group.IdxX - (run * w.Lanes), dot = (Grid.IdxX * (Group.DimX / w.Lanes)) + run;
        int row = dot / w.Inputs, input = dot - (row * w.Inputs), token = row / w.Outputs;
        // Threads after the last product only take part in the sums.
        int width = dot < w.Count ? w.Width : 0;
        long dy = (long)row * w.Width, x = (((long)token * w.Inputs) + input) * w.Width;
        float sum = 0;
        for (int channel = lane; channel < width; channel += w.Lanes)
        {
            sum += T.Read(w.DY[dy + channel]) * T.Read(w.X[x + channel]);
        }

        sum = TSum.Sum(shared, sum, w.Lanes);
        if (lane == 0 && dot < w.Count)
        {
            w.Dots[dot] = TCoefficient.Write(w.Accumulate != 0 ? TCoefficient.Read(w.Dots[dot]) + sum : sum);
        }
    }
}
