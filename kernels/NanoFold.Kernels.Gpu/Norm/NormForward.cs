using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>Operands of y = (x − mean) · r ⊙ gain + bias with r = rsqrt(mean((x − mean)²) + ε); without centring the mean is 0.</summary>
internal struct NormForward<T>
    where T : unmanaged, IElement<T>
{
    /// <summary>The rows: where they begin in x (A) and y (Y).</summary>
    public Shape Shape;
    public ArrayView<T> X, Y, Gain, Bias;
    public ArrayView<float> Statistics;
    public int Width;

    /// <summary>The logarithm of the threads that have a row together.</summary>
    public int LaneBits;
    public int HasGain, HasBias;
    public float Epsilon;

    public static void SetStatistics<TKind>(in NormForward<T> n, int row, float mean, float inverse)
        where TKind : struct, INormKind
    {
        if (TKind.IsCentered)
        {
            n.Statistics[2L * row] = mean;
            n.Statistics[2L * row + 1] = inverse;
        }
        else
        {
            n.Statistics[row] = inverse;
        }
    }

    /// <summary>(x − mean) · r of some pieces, scaled and shifted where there is a gain and a bias.</summary>
    public static TPieces Affine<TPiece, TPieces>(in NormForward<T> n, TPieces x, int index, int lanes)
        where TPiece : struct, IPiece
        where TPieces : struct, IPieces<TPieces>
    {
        if (n.HasGain != 0)
        {
            x *= TPieces.Load<T, TPiece>(n.Gain, 0, index, lanes, n.Width);
        }

        if (n.HasBias != 0)
        {
            x += TPieces.Load<T, TPiece>(n.Bias, 0, index, lanes, n.Width);
        }

        return x;
    }
}
