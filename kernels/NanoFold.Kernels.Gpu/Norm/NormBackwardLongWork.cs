using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>
/// Backward pass of a norm whose rows are longer than a group's registers: the group has one row at a time, reads it a second time from the caches, and adds
/// its sums over rows up in the partial sums themselves, where an element has one thread.
/// </summary>
internal struct NormBackwardLongWork<T, TPiece, TSum, TKind> : IGpuWork<NormBackwardLongWork<T, TPiece, TSum, TKind>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
    where TSum : struct, ILaneSum
    where TKind : struct, INormKind
{
    public NormGradient<T> Norm;

    public static void Run(NormBackwardLongWork<T, TPiece, TSum, TKind> work)
    {
        ArrayView<Two> shared = SharedMemory.Allocate<Two>(GroupReduce.Most);
        NormGradient<T> n = work.Norm;
        int first = Grid.IdxX * n.RowsPerGroup, end = IntrinsicMath.Min(first + n.RowsPerGroup, n.Shape.Count), width = n.Width, lanes = Group.DimX;
        long partial = 2L * width * Grid.IdxX;
        for (int row = first; row < end; row++)
        {
            long x = Shape.At(n.Shape, n.Shape.A, row), dy = Shape.At(n.Shape, n.Shape.B, row);
            float mean = NormGradient<T>.Mean<TKind>(n, row), inverse = NormGradient<T>.Inverse<TKind>(n, row);
            float dot = 0, sum = 0;
            for (int i = Group.IdxX; 4 * i < width; i += lanes)
            {
                OnePiece xi = Centered(n, x, i, mean), dyi = OnePiece.Load<T, TPiece>(n.DY, dy, i, lanes, width);
                if (n.HasSums != 0)
                {
                    Add(n, partial, i, dyi * xi * inverse, row == first);
                }

                if (n.HasSums != 0 && TKind.IsCentered)
                {
                    Add(n, partial + width, i, dyi, row == first);
                }

                dyi = NormGradient<T>.Gained<TPiece, OnePiece>(n, dyi, i, lanes);
                dot += OnePiece.Dot(dyi, xi);
                sum += OnePiece.Sum(dyi);
            }

            if (n.HasDX != 0)
            {
                Two sums = NormSums.Of<TSum, TKind>(shared, dot, sum, lanes);
                long dx = Shape.At(n.Shape, n.Shape.Y, row);
                for (int i = Group.IdxX; 4 * i < width; i += lanes)
                {
                    OnePiece xi = Centered(n, x, i, mean), dyi = OnePiece.Load<T, TPiece>(n.DY, dy, i, lanes, width);
                    dyi = NormGradient<T>.Gained<TPiece, OnePiece>(n, dyi, i, lanes);
                    NormGradient<T>.StoreDX<TPiece, OnePiece, TKind>(n, dx, i, lanes, width, dyi, xi, inverse, sums);
                }
            }
        }
    }

    private static OnePiece Centered(in NormGradient<T> n, long row, int piece, float mean)
    {
        OnePiece x = OnePiece.Load<T, TPiece>(n.X, row, piece, Group.DimX, n.Width);
        return TKind.IsCentered ? OnePiece.Centered(x, mean, piece, Group.DimX, n.Width) : x;
    }

    private static void Add(in NormGradient<T> n, long partial, int piece, OnePiece value, bool isFirst)
    {
        if (!isFirst)
        {
            value += OnePiece.Load<F32, AnyPiece>(n.Partials, partial, piece, Group.DimX, n.Width);
        }

        OnePiece.Store<F32, AnyPiece>(n.Partials, partial, piece, Group.DimX, n.Width, value);
    }
}
