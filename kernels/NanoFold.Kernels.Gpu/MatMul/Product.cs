using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>y [M, N] = alpha · a [M, K] · b [K, N] + bias [N] + residual [M, N] (+ y), any strides; on the device.</summary>
internal struct Product<TIn, TOut>
    where TIn : unmanaged, IElement<TIn>
    where TOut : unmanaged, IElement<TOut>
{
    public ArrayView<TIn> A, B;
    public ArrayView<TOut> Y, Bias, Residual;

    /// <summary>Elements that the matrices begin at.</summary>
    public long FirstA, FirstB, FirstY, FirstResidual;
    public long ARow, AStep, BStep, BColumn, YRow, YColumn, ResidualRow, ResidualColumn, BiasColumn;
    public int M, N, K;
    public float Alpha;
    public int Accumulate, HasBias, HasResidual;

    /// <summary>Writes the sum over K of one element of y.</summary>
    public static void Write(in Product<TIn, TOut> p, int row, int column, float sum)
    {
        float value = p.Alpha * sum;
        if (p.HasBias != 0)
        {
            value += TOut.Read(p.Bias[column * p.BiasColumn]);
        }

        if (p.HasResidual != 0)
        {
            // Rounded before, as if the addition were a call of its own.
            value = TOut.Read(TOut.Write(value)) + TOut.Read(p.Residual[p.FirstResidual + row * p.ResidualRow + column * p.ResidualColumn]);
        }

        long at = p.FirstY + row * p.YRow + column * p.YColumn;
        if (p.Accumulate != 0)
        {
            value += TOut.Read(p.Y[at]);
        }

        p.Y[at] = TOut.Write(value);
    }

    /// <summary>One element of y by one thread, four products under way at a time.</summary>
    public static void Element(in Product<TIn, TOut> p, int row, int column)
    {
        long a = p.FirstA + row * p.ARow, b = p.FirstB + column * p.BColumn;
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        int k = 0;
        for (; k <= p.K - 4; k += 4)
        {
            s0 += TIn.Read(p.A[a]) * TIn.Read(p.B[b]);
            s1 += TIn.Read(p.A[a + p.AStep]) * TIn.Read(p.B[b + p.BStep]);
            s2 += TIn.Read(p.A[a + 2 * p.AStep]) * TIn.Read(p.B[b + 2 * p.BStep]);
            s3 += TIn.Read(p.A[a + 3 * p.AStep]) * TIn.Read(p.B[b + 3 * p.BStep]);
            a += 4 * p.AStep;
            b += 4 * p.BStep;
        }

        for (; k < p.K; k++)
        {
            s0 += TIn.Read(p.A[a]) * TIn.Read(p.B[b]);
            a += p.AStep;
            b += p.BStep;
        }

        Write(p, row, column, s0 + s1 + (s2 + s3));
    }
}
