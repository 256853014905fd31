using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Pointwise;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// Backward pass of a norm whose rows fit in the registers of a run of lanes, two pieces each: x and dy are read once. A group has as many rows at a time
/// as it has runs, and adds its sums over rows up in registers.
/// </summary>
internal struct NormBackwardWork<T, TPiece> : IGpuWork<NormBackwardWork<T, TPiece>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
{
    /// <summary>Pieces of a lane.</summary>
    public const int Pieces = 2;

    public NormGradient<T> Norm;

    public static void Run(NormBackwardWork<T, TPiece> work)
    {
        ArrayView<Two> shared = SharedMemory.Allocate<Two>(GroupReduce.Most);
        ArrayView<Quad> quads = SharedMemory.Allocate<Quad>(GroupReduce.Most);
        NormGradient<T> n = work.Norm;
        int lanes = n.Lanes, lane = Group.IdxX & (lanes - 1), other = lane + lanes, run = Group.IdxX / lanes, runs = Group.DimX / lanes;
        int start = Grid.IdxX * n.RowsPerGroup;
        Quad dGain0 = default, dGain1 = default, dBias0 = default, dBias1 = default;
        for (int r = run; r < n.RowsPerGroup; r += runs)
        {
            // Lanes behind the last row have one without elements: they only take part in the barriers.
            int row = start + r, width = row < n.Shape.Count ? n.Width : 0;
            row = IntrinsicMath.Min(row, n.Shape.Count - 1);
            long x = Shape.At(n.Shape, n.Shape.A, row), dy = Shape.At(n.Shape, n.Shape.B, row);
            Quad x0 = TPiece.Load(n.X, x, lane, width), x1 = TPiece.Load(n.X, x, other, width);
            Quad dy0 = TPiece.Load(n.DY, dy, lane, width), dy1 = TPiece.Load(n.DY, dy, other, width);
            float mean = NormGradient<T>.Mean(n, row), inverse = NormGradient<T>.Inverse(n, row);
            if (n.IsCentered != 0)
            {
                x0 = Quad.Centered(x0, mean, width - 4 * lane);
                x1 = Quad.Centered(x1, mean, width - 4 * other);
                dBias0 += dy0;
                dBias1 += dy1;
            }

            dGain0 += dy0 * x0 * inverse;
            dGain1 += dy1 * x1 * inverse;
            if (n.HasDX != 0)
            {
                dy0 = NormGradient<T>.Gained<TPiece>(n, dy0, lane);
                dy1 = NormGradient<T>.Gained<TPiece>(n, dy1, other);
                var own = new Two { First = Quad.Dot(dy0, x0) + Quad.Dot(dy1, x1), Second = Quad.Sum(dy0) + Quad.Sum(dy1) };
                Two sums = LaneReduce.Sum(shared, own, lanes);
                long dx = Shape.At(n.Shape, n.Shape.Y, row);
                NormGradient<T>.StoreDX<TPiece>(n, dx, lane, width, dy0, x0, inverse, sums);
                NormGradient<T>.StoreDX<TPiece>(n, dx, other, width, dy1, x1, inverse, sums);
            }
        }

        if (n.HasSums != 0)
        {
            long partial = 2L * n.Width * Grid.IdxX;
            AddRuns(n, quads, dGain0, partial, lane);
            AddRuns(n, quads, dGain1, partial, other);
            if (n.IsCentered != 0)
            {
                AddRuns(n, quads, dBias0, partial + n.Width, lane);
                AddRuns(n, quads, dBias1, partial + n.Width, other);
            }
        }
    }

    private static void AddRuns(in NormGradient<T> n, ArrayView<Quad> shared, Quad value, long partial, int piece)
    {
        Group.Barrier();
        shared[Group.IdxX] = value;
        Group.Barrier();
        if (Group.IdxX < n.Lanes)
        {
            for (int i = Group.IdxX + n.Lanes; i < Group.DimX; i += n.Lanes)
            {
                value += shared[i];
            }

            AnyPiece.Store(n.Partials, partial, piece, n.Width, value);
        }
    }
}
