using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Pointwise;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// With x̂ = (x − mean) · r and w = dy ⊙ gain: dx = r · (w − mean(w) − x̂ · mean(w ⊙ x̂)), where mean(w) is left out without centring.
/// A group goes through some rows, as many at a time as it has runs of lanes, and adds dy ⊙ x̂ and dy up for its partial sums [2, width]:
/// in registers the first two pieces of each lane, what is longer in the partial sums themselves (then the whole group has one row at a time,
/// and an element has one thread).
/// </summary>
internal struct NormBackwardWork<T, TPiece> : IGpuWork<NormBackwardWork<T, TPiece>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
{
    /// <summary>The rows: where they begin in x (A), dy (B) and dx (Y).</summary>
    public Shape Shape;
    public ArrayView<T> X, DY, DX, Gain;
    public ArrayView<float> Statistics;
    public ArrayView<F32> Partials;
    public int Width, Lanes, RowsPerGroup;
    public int IsCentered, HasGain, HasDX, HasSums, Accumulate;

    public static void Run(NormBackwardWork<T, TPiece> w)
    {
        ArrayView<Two> shared = SharedMemory.Allocate<Two>(GroupReduce.Most);
        ArrayView<Quad> quads = SharedMemory.Allocate<Quad>(GroupReduce.Most);
        int lanes = w.Lanes, lane = Group.IdxX & (lanes - 1), other = lane + lanes, run = Group.IdxX / lanes, runs = Group.DimX / lanes;
        int start = Grid.IdxX * w.RowsPerGroup;
        long partial = 2L * w.Width * Grid.IdxX;
        Quad gain0 = Gained(w, Quad.All(1), lane), gain1 = Gained(w, Quad.All(1), other);
        Quad dGain0 = default, dGain1 = default, dBias0 = default, dBias1 = default;
        for (int i = other + lanes; w.HasSums != 0 && 4 * i < w.Width; i += lanes)
        {
            AnyPiece.Store(w.Partials, partial, i, w.Width, default);
            AnyPiece.Store(w.Partials, partial + w.Width, i, w.Width, default);
        }

        for (int r = run; r < w.RowsPerGroup; r += runs)
        {
            // Lanes behind the last row have one without elements: they only take part in the barriers.
            int row = start + r, width = row < w.Shape.Count ? w.Width : 0;
            row = IntrinsicMath.Min(row, w.Shape.Count - 1);
            long x = Shape.At(w.Shape, w.Shape.A, row), dy = Shape.At(w.Shape, w.Shape.B, row);
            Quad x0 = TPiece.Load(w.X, x, lane, width), x1 = TPiece.Load(w.X, x, other, width);
            Quad dy0 = TPiece.Load(w.DY, dy, lane, width), dy1 = TPiece.Load(w.DY, dy, other, width);
            float mean = 0, inverse;
            if (w.IsCentered != 0)
            {
                mean = w.Statistics[2L * row];
                inverse = w.Statistics[2L * row + 1];
                x0 = Quad.Centered(x0, mean, width - 4 * lane);
                x1 = Quad.Centered(x1, mean, width - 4 * other);
                dBias0 += dy0;
                dBias1 += dy1;
            }
            else
            {
                inverse = w.Statistics[row];
            }

            dGain0 += dy0 * x0 * inverse;
            dGain1 += dy1 * x1 * inverse;
            dy0 *= gain0;
            dy1 *= gain1;
            var sums = new Two { First = Quad.Dot(dy0, x0) + Quad.Dot(dy1, x1), Second = Quad.Sum(dy0) + Quad.Sum(dy1) };
            for (int i = other + lanes; 4 * i < width; i += lanes)
            {
                Quad xi = Quad.Centered(TPiece.Load(w.X, x, i, width), mean, width - 4 * i), dyi = TPiece.Load(w.DY, dy, i, width);
                if (w.HasSums != 0)
                {
                    Add(w.Partials, partial, i, width, dyi * xi * inverse);
                }

                if (w.HasSums != 0 && w.IsCentered != 0)
                {
                    Add(w.Partials, partial + width, i, width, dyi);
                }

                dyi = Gained(w, dyi, i);
                sums.First += Quad.Dot(dyi, xi);
                sums.Second += Quad.Sum(dyi);
            }

            if (w.HasDX == 0)
            {
                continue;
            }

            sums = LaneReduce.Sum(shared, sums, lanes);
            // dx = r · w + slope · (x − mean) + offset
            float slope = -sums.First / w.Width * inverse * inverse * inverse;
            float offset = w.IsCentered != 0 ? -sums.Second / w.Width * inverse : 0;
            long dx = Shape.At(w.Shape, w.Shape.Y, row);
            StoreDX(w, dx, lane, width, dy0 * inverse + x0 * slope + offset);
            StoreDX(w, dx, other, width, dy1 * inverse + x1 * slope + offset);
            for (int i = other + lanes; 4 * i < width; i += lanes)
            {
                Quad xi = Quad.Centered(TPiece.Load(w.X, x, i, width), mean, width - 4 * i);
                StoreDX(w, dx, i, width, Gained(w, TPiece.Load(w.DY, dy, i, width), i) * inverse + xi * slope + offset);
            }
        }

        if (w.HasSums != 0)
        {
            AddRuns(w, quads, dGain0, partial, lane);
            AddRuns(w, quads, dGain1, partial, other);
            if (w.IsCentered != 0)
            {
                AddRuns(w, quads, dBias0, partial + w.Width, lane);
                AddRuns(w, quads, dBias1, partial + w.Width, other);
            }
        }
    }

    private static Quad Gained(NormBackwardWork<T, TPiece> w, Quad value, int piece)
        => w.HasGain != 0 ? value * TPiece.Load(w.Gain, 0, piece, w.Width) : value;

    private static void StoreDX(NormBackwardWork<T, TPiece> w, long row, int piece, int width, Quad value)
    {
        if (w.Accumulate != 0)
        {
            value += TPiece.Load(w.DX, row, piece, width);
        }

        TPiece.Store(w.DX, row, piece, width, value);
    }

    private static void Add(ArrayView<F32> partials, long row, int piece, int width, Quad value)
        => AnyPiece.Store(partials, row, piece, width, AnyPiece.Load(partials, row, piece, width) + value);

    private static void AddRuns(NormBackwardWork<T, TPiece> w, ArrayView<Quad> shared, Quad value, long partial, int piece)
    {
        Group.Barrier();
        shared[Group.IdxX] = value;
        Group.Barrier();
        if (Group.IdxX < w.Lanes)
        {
            for (int other = Group.IdxX + w.Lanes; other < Group.DimX; other += w.Lanes)
            {
                value += shared[other];
            }

            AnyPiece.Store(w.Partials, partial, piece, w.Width, value);
        }
    }
}
