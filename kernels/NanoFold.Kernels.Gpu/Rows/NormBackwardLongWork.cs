using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Pointwise;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// Backward pass of a norm whose rows are longer than a group's registers: the group has one row at a time, reads it a second time from the caches, and adds
/// its sums over rows up in the partial sums themselves, where an element has one thread.
/// </summary>
internal struct NormBackwardLongWork<T, TPiece> : IGpuWork<NormBackwardLongWork<T, TPiece>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
{
    public NormGradient<T> Norm;

    public static void Run(NormBackwardLongWork<T, TPiece> work)
    {
        ArrayView<Two> shared = SharedMemory.Allocate<Two>(GroupReduce.Most);
        NormGradient<T> n = work.Norm;
        int first = Grid.IdxX * n.RowsPerGroup, end = IntrinsicMath.Min(first + n.RowsPerGroup, n.Shape.Count), width = n.Width;
        long partial = 2L * width * Grid.IdxX;
        for (int row = first; row < end; row++)
        {
            long x = Shape.At(n.Shape, n.Shape.A, row), dy = Shape.At(n.Shape, n.Shape.B, row);
            float mean = NormGradient<T>.Mean(n, row), inverse = NormGradient<T>.Inverse(n, row);
            Two sums = default;
            for (int i = Group.IdxX; 4 * i < width; i += Group.DimX)
            {
                Quad xi = Quad.Centered(TPiece.Load(n.X, x, i, width), mean, width - 4 * i), dyi = TPiece.Load(n.DY, dy, i, width);
                if (n.HasSums != 0)
                {
                    Add(n, partial, i, dyi * xi * inverse, row == first);
                }

                if (n.HasSums != 0 && n.IsCentered != 0)
                {
                    Add(n, partial + width, i, dyi, row == first);
                }

                dyi = NormGradient<T>.Gained<TPiece>(n, dyi, i);
                sums.First += Quad.Dot(dyi, xi);
                sums.Second += Quad.Sum(dyi);
            }

            if (n.HasDX != 0)
            {
                sums = LaneReduce.Sum(shared, sums, Group.DimX);
                long dx = Shape.At(n.Shape, n.Shape.Y, row);
                for (int i = Group.IdxX; 4 * i < width; i += Group.DimX)
                {
                    Quad xi = Quad.Centered(TPiece.Load(n.X, x, i, width), mean, width - 4 * i);
                    Quad dyi = NormGradient<T>.Gained<TPiece>(n, TPiece.Load(n.DY, dy, i, width), i);
                    NormGradient<T>.StoreDX<TPiece>(n, dx, i, width, dyi, xi, inverse, sums);
                }
            }
        }
    }

    private static void Add(in NormGradient<T> n, long partial, int piece, Quad value, bool isFirst)
    {
        if (!isFirst)
        {
            value += AnyPiece.Load(n.Partials, partial, piece, n.Width);
        }

        AnyPiece.Store(n.Partials, partial, piece, n.Width, value);
    }
}
