using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>
/// Forward pass of a norm (see <see cref="NormForward{T}"/>). A run of lanes has a row: a lane keeps its first pieces in registers, and reads what is longer
/// again, from the caches.
/// </summary>
internal struct NormForwardWork<T, TPiece, TSum, TPieces, TKind> : IGpuWork<NormForwardWork<T, TPiece, TSum, TPieces, TKind>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
    where TSum : struct, ILaneSum
    where TPieces : struct, IPieces<TPieces>
    where TKind : struct, INormKind
{
    public NormForward<T> Norm;

    public static void Run(NormForwardWork<T, TPiece, TSum, TPieces, TKind> work)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        NormForward<T> n = work.Norm;
        int lanes = 1 << n.LaneBits, lane = Group.IdxX & (lanes - 1), rest = lane + TPieces.Count * lanes;
        int row = Grid.IdxX * (Group.DimX >> n.LaneBits) + (Group.IdxX >> n.LaneBits);
        // Lanes behind the last row have one without elements: they only take part in the sums.
        int width = row < n.Shape.Count ? n.Width : 0;
        row = IntrinsicMath.Min(row, n.Shape.Count - 1);
        long at = Shape.At(n.Shape, n.Shape.A, row), target = Shape.At(n.Shape, n.Shape.Y, row);
        TPieces x = TPieces.Load<T, TPiece>(n.X, at, lane, lanes, width);
        float mean = 0;
        if (TKind.IsCentered)
        {
            float sum = TPieces.Sum(x);
            for (int i = rest; 4 * i < width; i += lanes)
            {
                sum += Quad.Sum(TPiece.Load(n.X, at, i, width));
            }

            mean = TSum.Sum(shared, sum, lanes) / n.Width;
            x = TPieces.Centered(x, mean, lane, lanes, width);
        }

        float squares = TPieces.Dot(x, x);
        for (int i = rest; 4 * i < width; i += lanes)
        {
            Quad other = Quad.Centered(TPiece.Load(n.X, at, i, width), mean, width - 4 * i);
            squares += Quad.Dot(other, other);
        }

        float inverse = 1 / MathF.Sqrt(TSum.Sum(shared, squares, lanes) / n.Width + n.Epsilon);
        TPieces.Store<T, TPiece>(n.Y, target, lane, lanes, width, NormForward<T>.Affine<TPiece, TPieces>(n, x * inverse, lane, lanes));
        for (int i = rest; 4 * i < width; i += lanes)
        {
            var other = new OnePiece(Quad.Centered(TPiece.Load(n.X, at, i, width), mean, width - 4 * i) * inverse);
            OnePiece.Store<T, TPiece>(n.Y, target, i, lanes, width, NormForward<T>.Affine<TPiece, OnePiece>(n, other, i, lanes));
        }

        if (lane == 0 && width > 0)
        {
            NormForward<T>.SetStatistics<TKind>(n, row, mean, inverse);
        }
    }
}
