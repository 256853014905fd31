using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>
/// Backward pass of a norm whose rows fit in the registers of a run of lanes: x and dy are read once. A group has as many rows at a time
/// as it has runs, and adds its sums over rows up in registers.
/// </summary>
internal struct NormBackwardWork<T, TPiece, TSum, TTile, TKind> : IGpuWork<NormBackwardWork<T, TPiece, TSum, TTile, TKind>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
    where TSum : struct, ILaneSum
    where TTile : struct, IRegisterTile<TTile>
    where TKind : struct, INormKind
{
    public NormGradient<T> Norm;

    /// <summary>With more, the compiler would take the registers of two groups for one.</summary>
    public static int GroupsTogether => TTile.Count > 4 && !TKind.IsCentered ? 2 : 0;

    public static void Run(NormBackwardWork<T, TPiece, TSum, TTile, TKind> work)
    {
        ArrayView<SumPair> shared = SharedMemory.Allocate<SumPair>(GroupReduce.Most);
        ArrayView<Float4> quads = SharedMemory.Allocate<Float4>(GroupReduce.Most);
        NormGradient<T> n = work.Norm;
        int lanes = 1 << n.LaneBits, lane = Group.IdxX & (lanes - 1), run = Group.IdxX >> n.LaneBits, runs = Group.DimX >> n.LaneBits;
        int start = Grid.IdxX * n.RowsPerGroup;
        TTile dGain = TTile.All(0), dBias = TTile.All(0);
        for (int r = run; r < n.RowsPerGroup; r += runs)
        {
            // Lanes after the last row have one without elements: they only take part in the sums.
            int row = start + r, width = row < n.Shape.Count ? n.Width : 0;
            row = IntrinsicMath.Min(row, n.Shape.Count - 1);
            float mean = NormGradient<T>.Mean<TKind>(n, row), inverse = NormGradient<T>.Inverse<TKind>(n, row);
            TTile x = TTile.Load<T, TPiece>(n.X, Nest.At(n.Shape, n.Shape.A, row), lane, lanes, width);
            TTile dy = TTile.Load<T, TPiece>(n.DY, Nest.At(n.Shape, n.Shape.B, row), lane, lanes, width);
            if (TKind.IsCentered)
            {
                x = TTile.Centered(x, mean, lane, lanes, width);
                dBias += dy;
            }

            dGain += dy * x * inverse;
            if (n.HasDX != 0)
            {
                dy = NormGradient<T>.Gained<TPiece, TTile>(n, dy, lane, lanes);
                SumPair sums = NormSums.Of<TSum, TKind>(shared, TTile.Dot(dy, x), TTile.Sum(dy), lanes);
                NormGradient<T>.StoreDX<TPiece, TTile, TKind>(n, Nest.At(n.Shape, n.Shape.Y, row), lane, lanes, width, dy, x, inverse, sums);
            }
        }

        if (n.HasSums != 0)
        {
            long partial = 2L * n.Width * Grid.IdxX;
            TTile.StoreSum(quads, n.Partials, partial, lane, lanes, n.Width, dGain);
            if (TKind.IsCentered)
            {
                TTile.StoreSum(quads, n.Partials, partial + n.Width, lane, lanes, n.Width, dBias);
            }
        }
    }
}

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
        ArrayView<SumPair> shared = SharedMemory.Allocate<SumPair>(GroupReduce.Most);
        NormGradient<T> n = work.Norm;
        int first = Grid.IdxX * n.RowsPerGroup, end = IntrinsicMath.Min(first + n.RowsPerGroup, n.Shape.Count), width = n.Width, lanes = Group.DimX;
        long partial = 2L * width * Grid.IdxX;
        for (int row = first; row < end; row++)
        {
            long x = Nest.At(n.Shape, n.Shape.A, row), dy = Nest.At(n.Shape, n.Shape.B, row);
            float mean = NormGradient<T>.Mean<TKind>(n, row), inverse = NormGradient<T>.Inverse<TKind>(n, row);
            float dot = 0, sum = 0;
            for (int i = Group.IdxX; 4 * i < width; i += lanes)
            {
                RegisterPiece xi = Centered(n, x, i, mean), dyi = RegisterPiece.Load<T, TPiece>(n.DY, dy, i, lanes, width);
                if (n.HasSums != 0)
                {
                    Add(n, partial, i, dyi * xi * inverse, row == first);
                }

                if (n.HasSums != 0 && TKind.IsCentered)
                {
                    Add(n, partial + width, i, dyi, row == first);
                }

                dyi = NormGradient<T>.Gained<TPiece, RegisterPiece>(n, dyi, i, lanes);
                dot += RegisterPiece.Dot(dyi, xi);
                sum += RegisterPiece.Sum(dyi);
            }

            if (n.HasDX != 0)
            {
                SumPair sums = NormSums.Of<TSum, TKind>(shared, dot, sum, lanes);
                long dx = Nest.At(n.Shape, n.Shape.Y, row);
                for (int i = Group.IdxX; 4 * i < width; i += lanes)
                {
                    RegisterPiece xi = Centered(n, x, i, mean), dyi = RegisterPiece.Load<T, TPiece>(n.DY, dy, i, lanes, width);
                    dyi = NormGradient<T>.Gained<TPiece, RegisterPiece>(n, dyi, i, lanes);
                    NormGradient<T>.StoreDX<TPiece, RegisterPiece, TKind>(n, dx, i, lanes, width, dyi, xi, inverse, sums);
                }
            }
        }
    }

    private static RegisterPiece Centered(in NormGradient<T> n, long row, int piece, float mean)
    {
        RegisterPiece x = RegisterPiece.Load<T, TPiece>(n.X, row, piece, Group.DimX, n.Width);
        return TKind.IsCentered ? RegisterPiece.Centered(x, mean, piece, Group.DimX, n.Width) : x;
    }

    private static void Add(in NormGradient<T> n, long partial, int piece, RegisterPiece value, bool isFirst)
    {
        if (!isFirst)
        {
            value += RegisterPiece.Load<F32, RaggedPiece>(n.Partials, partial, piece, Group.DimX, n.Width);
        }

        RegisterPiece.Store<F32, RaggedPiece>(n.Partials, partial, piece, Group.DimX, n.Width, value);
    }
}

/// <summary>
/// Operands of a norm's backward pass. With x̂ = (x − mean) · r and w = dy ⊙ gain: dx = r · (w − mean(w) − x̂ · mean(w ⊙ x̂)), where mean(w) is left out
/// without centering. Each group goes through some rows and writes its sums of dy ⊙ x̂ and of dy, the partial sums [2, width].
/// </summary>
internal struct NormGradient<T>
    where T : unmanaged, IElement<T>
{
    /// <summary>The rows: where they begin in x (A), dy (B) and dx (Y).</summary>
    public Nest Shape;
    public ArrayView<T> X, DY, DX, Gain;
    public ArrayView<float> Statistics;
    public ArrayView<F32> Partials;
    public int Width, RowsPerGroup;

    /// <summary>As in the forward pass.</summary>
    public float Divisor;

    /// <summary>The logarithm of the threads that have a row together.</summary>
    public int LaneBits;
    public int HasGain, HasDX, HasSums, Accumulate;

    public static float Mean<TKind>(in NormGradient<T> n, int row)
        where TKind : struct, INormKind
        => TKind.IsCentered ? n.Statistics[2L * row] : 0;

    public static float Inverse<TKind>(in NormGradient<T> n, int row)
        where TKind : struct, INormKind
        => n.Statistics[TKind.IsCentered ? 2L * row + 1 : row];

    /// <summary>w of some pieces.</summary>
    public static TTile Gained<TPiece, TTile>(in NormGradient<T> n, TTile dy, int index, int lanes)
        where TPiece : struct, IPiece
        where TTile : struct, IRegisterTile<TTile>
        => n.HasGain != 0 ? dy * TTile.Load<T, TPiece>(n.Gain, 0, index, lanes, n.Width) : dy;

    /// <summary>dx of some pieces: r · w + slope · (x − mean) + offset, where the sums are those of w ⊙ (x − mean) and of w.</summary>
    public static void StoreDX<TPiece, TTile, TKind>(
        in NormGradient<T> n, long row, int index, int lanes, int width, TTile gained, TTile centered, float inverse, SumPair sums)
        where TPiece : struct, IPiece
        where TTile : struct, IRegisterTile<TTile>
        where TKind : struct, INormKind
    {
        float slope = -sums.First / n.Divisor * inverse * inverse * inverse;
        TTile value = gained * inverse + centered * slope;
        if (TKind.IsCentered)
        {
            value += -sums.Second / n.Width * inverse;
        }

        if (n.Accumulate != 0)
        {
            value += TTile.Load<T, TPiece>(n.DX, row, index, lanes, width);
        }

        TTile.Store<T, TPiece>(n.DX, row, index, lanes, width, value);
    }
}

/// <summary>The sums that dx of a row needs.</summary>
internal static class NormSums
{
    /// <summary>Over a run of lanes: of w ⊙ (x − mean), and of w where the norm is centered.</summary>
    public static SumPair Of<TSum, TKind>(ArrayView<SumPair> shared, float first, float second, int lanes)
        where TSum : struct, ILaneSum
        where TKind : struct, INormKind
        => TKind.IsCentered
            ? TSum.Sum(shared, new SumPair { First = first, Second = second }, lanes)
            : new SumPair { First = TSum.Sum(shared.Cast<float>(), first, lanes) };
}

/// <summary>Launches the backward pass of a norm, in groups that have several rows each.</summary>
internal readonly struct NormBackwardLaunch<T, TPiece, TKind>(GpuContext context, NormGradient<T> norm) : INormLaunch
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
    where TKind : struct, INormKind
{
    public void Run<TSum, TTile>(in NormSplit split)
        where TSum : struct, ILaneSum
        where TTile : struct, IRegisterTile<TTile>
    {
        NormGradient<T> n = norm with { LaneBits = split.LaneBits };
        int groups = (n.Shape.Count + n.RowsPerGroup - 1) / n.RowsPerGroup;
        if (split.Holds(n.Width))
        {
            context.Launch(new NormBackwardWork<T, TPiece, TSum, TTile, TKind> { Norm = n }, groups, context.GroupSize);
        }
        else
        {
            context.Launch(new NormBackwardLongWork<T, TPiece, TSum, TKind> { Norm = n }, groups, context.GroupSize);
        }
    }
}
