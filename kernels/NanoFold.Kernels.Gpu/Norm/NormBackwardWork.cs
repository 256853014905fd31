using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>
/// Backward pass of a norm whose rows fit in the registers of a run of lanes: x and dy are read once. A group has as many rows at a time
/// as it has runs, and adds its sums over rows up in registers.
/// </summary>
internal struct NormBackwardWork<T, TPiece, TSum, TPieces, TKind> : IGpuWork<NormBackwardWork<T, TPiece, TSum, TPieces, TKind>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
    where TSum : struct, ILaneSum
    where TPieces : struct, IPieces<TPieces>
    where TKind : struct, INormKind
{
    public NormGradient<T> Norm;

    /// <summary>With more, the compiler would take the registers of two groups for one.</summary>
    public static int GroupsTogether => TPieces.Count > 4 && !TKind.IsCentered ? 2 : 0;

    public static void Run(NormBackwardWork<T, TPiece, TSum, TPieces, TKind> work)
    {
        ArrayView<Two> shared = SharedMemory.Allocate<Two>(GroupReduce.Most);
        ArrayView<Quad> quads = SharedMemory.Allocate<Quad>(GroupReduce.Most);
        NormGradient<T> n = work.Norm;
        int lanes = 1 << n.LaneBits, lane = Group.IdxX & (lanes - 1), run = Group.IdxX >> n.LaneBits, runs = Group.DimX >> n.LaneBits;
        int start = Grid.IdxX * n.RowsPerGroup;
        TPieces dGain = TPieces.All(0), dBias = TPieces.All(0);
        for (int r = run; r < n.RowsPerGroup; r += runs)
        {
            // Lanes behind the last row have one without elements: they only take part in the sums.
            int row = start + r, width = row < n.Shape.Count ? n.Width : 0;
            row = IntrinsicMath.Min(row, n.Shape.Count - 1);
            float mean = NormGradient<T>.Mean<TKind>(n, row), inverse = NormGradient<T>.Inverse<TKind>(n, row);
            TPieces x = TPieces.Load<T, TPiece>(n.X, Shape.At(n.Shape, n.Shape.A, row), lane, lanes, width);
            TPieces dy = TPieces.Load<T, TPiece>(n.DY, Shape.At(n.Shape, n.Shape.B, row), lane, lanes, width);
            if (TKind.IsCentered)
            {
                x = TPieces.Centered(x, mean, lane, lanes, width);
                dBias += dy;
            }

            dGain += dy * x * inverse;
            if (n.HasDX != 0)
            {
                dy = NormGradient<T>.Gained<TPiece, TPieces>(n, dy, lane, lanes);
                Two sums = NormSums.Of<TSum, TKind>(shared, TPieces.Dot(dy, x), TPieces.Sum(dy), lanes);
                NormGradient<T>.StoreDX<TPiece, TPieces, TKind>(n, Shape.At(n.Shape, n.Shape.Y, row), lane, lanes, width, dy, x, inverse, sums);
            }
        }

        if (n.HasSums != 0)
        {
            long partial = 2L * n.Width * Grid.IdxX;
            TPieces.StoreSum(quads, n.Partials, partial, lane, lanes, n.Width, dGain);
            if (TKind.IsCentered)
            {
                TPieces.StoreSum(quads, n.Partials, partial + n.Width, lane, lanes, n.Width, dBias);
            }
        }
    }
}
