using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>Operands of y = (x − mean) · r ⊙ gain + bias with r = rsqrt(mean((x − mean)²) + ε); without centering the mean is 0.</summary>
internal struct NormOperands<T>
    where T : unmanaged, IElement<T>
{
    /// <summary>The rows: where they begin in x (A) and y (Y).</summary>
    public Nest Shape;
    public ArrayView<T> X, Y, Gain, Bias;
    public ArrayView<float> Statistics;
    public int Width;

    /// <summary>What sums of squares are divided by: the width, or 1 for rows of length 1.</summary>
    public float Divisor;

    /// <summary>The logarithm of the threads that have a row together.</summary>
    public int LaneBits;
    public int HasGain, HasBias;
    public float Epsilon;

    public static void SetStatistics<TKind>(in NormOperands<T> n, int row, float mean, float inverse)
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
    public static TTile Affine<TPiece, TTile>(in NormOperands<T> n, TTile x, int index, int lanes)
        where TPiece : struct, IPiece
        where TTile : struct, IRegisterTile<TTile>
    {
        if (n.HasGain != 0)
        {
            x *= TTile.Load<T, TPiece>(n.Gain, 0, index, lanes, n.Width);
        }

        if (n.HasBias != 0)
        {
            x += TTile.Load<T, TPiece>(n.Bias, 0, index, lanes, n.Width);
        }

        return x;
    }
}

/// <summary>
/// Forward pass of a norm (see <see cref="NormOperands{T}"/>). A run of lanes has a row: a lane keeps its first pieces in registers, and reads what is longer
/// again, from the caches.
/// </summary>
internal struct NormForwardWork<T, TPiece, TSum, TTile, TKind> : IGpuWork<NormForwardWork<T, TPiece, TSum, TTile, TKind>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
    where TSum : struct, ILaneSum
    where TTile : struct, IRegisterTile<TTile>
    where TKind : struct, INormKind
{
    public NormOperands<T> Norm;

    public static void Run(NormForwardWork<T, TPiece, TSum, TTile, TKind> work)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        NormOperands<T> n = work.Norm;
        int lanes = 1 << n.LaneBits, lane = Group.IdxX & (lanes - 1), rest = lane + TTile.Count * lanes;
        int row = Grid.IdxX * (Group.DimX >> n.LaneBits) + (Group.IdxX >> n.LaneBits);
        // Lanes after the last row have one without elements: they only take part in the sums.
        int width = row < n.Shape.Count ? n.Width : 0;
        row = IntrinsicMath.Min(row, n.Shape.Count - 1);
        long at = Nest.At(n.Shape, n.Shape.A, row), target = Nest.At(n.Shape, n.Shape.Y, row);
        TTile x = TTile.Load<T, TPiece>(n.X, at, lane, lanes, width);
        float mean = 0;
        if (TKind.IsCentered)
        {
            float sum = TTile.Sum(x);
            for (int i = rest; 4 * i < width; i += lanes)
            {
                sum += Float4.Sum(TPiece.Load(n.X, at, i, width));
            }

            mean = TSum.Sum(shared, sum, lanes) / n.Width;
            x = TTile.Centered(x, mean, lane, lanes, width);
        }

        float squares = TTile.Dot(x, x);
        for (int i = rest; 4 * i < width; i += lanes)
        {
            Float4 other = Float4.Centered(TPiece.Load(n.X, at, i, width), mean, width - 4 * i);
            squares += Float4.Dot(other, other);
        }

        float inverse = 1 / MathF.Sqrt(TSum.Sum(shared, squares, lanes) / n.Divisor + n.Epsilon);
        TTile.Store<T, TPiece>(n.Y, target, lane, lanes, width, NormOperands<T>.Affine<TPiece, TTile>(n, x * inverse, lane, lanes));
        for (int i = rest; 4 * i < width; i += lanes)
        {
            var other = new RegisterPiece(Float4.Centered(TPiece.Load(n.X, at, i, width), mean, width - 4 * i) * inverse);
            RegisterPiece.Store<T, TPiece>(n.Y, target, i, lanes, width, NormOperands<T>.Affine<TPiece, RegisterPiece>(n, other, i, lanes));
        }

        if (lane == 0 && width > 0)
        {
            NormOperands<T>.SetStatistics<TKind>(n, row, mean, inverse);
        }
    }
}

/// <summary>Launches the forward pass of a norm, a row a run of lanes.</summary>
internal readonly struct NormForwardLaunch<T, TPiece, TKind>(GpuContext context, NormOperands<T> norm) : INormLaunch
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
    where TKind : struct, INormKind
{
    public void Run<TSum, TTile>(in NormSplit split)
        where TSum : struct, ILaneSum
        where TTile : struct, IRegisterTile<TTile>
    {
        int rows = context.GroupSize / split.Lanes;
        context.Launch(
            new NormForwardWork<T, TPiece, TSum, TTile, TKind> { Norm = norm with { LaneBits = split.LaneBits } },
            (norm.Shape.Count + rows - 1) / rows, context.GroupSize);
    }
}
