using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>
/// Σ x² of contiguous memory, one double a group; with a lift, after those, Σ (lift · x)², for values whose squares vanish. Four squares and more are added in
/// single precision: doubles are slow on many GPUs.
/// </summary>
internal struct SquareSumWork : IGpuWork<SquareSumWork>
{
    public ArrayView<F32> X;
    public ArrayView<double> Sums;

    /// <summary>Elements, and how many of them are aligned pieces.</summary>
    public long Count, Whole;

    /// <summary>0 for none.</summary>
    public float Lift;

    public static void Run(SquareSumWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0, lifted = 0;
        long threads = (long)Grid.DimX * Group.DimX, thread = (long)Grid.IdxX * Group.DimX + Group.IdxX, step = 4 * threads, at = 4 * thread;
        for (; at + 3 * step < w.Whole; at += 4 * step)
        {
            Float4 a = AlignedPiece.Load(w.X, at), b = AlignedPiece.Load(w.X, at + step);
            Float4 c = AlignedPiece.Load(w.X, at + 2 * step), d = AlignedPiece.Load(w.X, at + 3 * step);
            sum += (double)Float4.Dot(a, a) + Float4.Dot(b, b) + ((double)Float4.Dot(c, c) + Float4.Dot(d, d));
            if (w.Lift != 0)
            {
                lifted += Square(a * w.Lift) + Square(b * w.Lift) + (Square(c * w.Lift) + Square(d * w.Lift));
            }
        }

        for (; at < w.Whole; at += step)
        {
            Float4 a = AlignedPiece.Load(w.X, at);
            sum += Float4.Dot(a, a);
            lifted += Square(a * w.Lift);
        }

        for (at = w.Whole + thread; at < w.Count; at += threads)
        {
            float a = F32.Read(w.X[at]), b = a * w.Lift;
            sum += a * a;
            lifted += b * b;
        }

        sum = GroupReduce.Sum(shared, sum);
        lifted = GroupReduce.Sum(shared, lifted);
        if (Group.IdxX == 0)
        {
            w.Sums[Grid.IdxX] = sum;
            if (w.Lift != 0)
            {
                w.Sums[Grid.DimX + Grid.IdxX] = lifted;
            }
        }
    }

    private static float Square(Float4 x) => Float4.Dot(x, x);
}

/// <summary>Adds sums of groups to the slot of the gradients' squares, by one group.</summary>
internal struct AddSumWork : IGpuWork<AddSumWork>
{
    public ArrayView<double> Sums;
    public ArrayView<long> State;
    public int Count;

    public static void Run(AddSumWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        for (int i = Group.IdxX; i < w.Count; i += Group.DimX)
        {
            sum += w.Sums[i];
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            Slots.Set(w.State, StepSlot.GradientSquares, Slots.Double(w.State, StepSlot.GradientSquares) + sum);
        }
    }
}

/// <summary>
/// y = x / √Σ, where each group adds up the sums Σ of squares for itself, or y = lift · x / √(Σ of lifted squares) where Σ is so small that squares may have
/// vanished; a zero matrix stays zero.
/// </summary>
internal struct NormalizeWork<TPiece> : IGpuWork<NormalizeWork<TPiece>>
    where TPiece : struct, IPiece
{
    public ArrayView<F32> X, Y;
    public ArrayView<double> Sums;
    public ArrayView<long> State;
    public int Groups, Count;

    public static void Run(NormalizeWork<TPiece> w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        ArrayView<float> factor = SharedMemory.Allocate<float>(2);
        if (Slots.Double(w.State, StepSlot.GradientScale) == 0)
        {
            return;
        }

        double squares = 0, lifted = 0;
        for (int g = Group.IdxX; g < w.Groups; g += Group.DimX)
        {
            squares += w.Sums[g];
            lifted += w.Sums[w.Groups + g];
        }

        squares = GroupReduce.Sum(shared, squares);
        lifted = GroupReduce.Sum(shared, lifted);
        if (Group.IdxX == 0)
        {
            bool isSmall = squares < NormalizeFrobeniusCall.Small;
            squares = isSmall ? lifted : squares;
            factor[0] = isSmall ? NormalizeFrobeniusCall.Lift : 1;
            // A norm that is not a number divides too: it has to show.
            factor[1] = squares == 0 ? 0 : (float)(1 / Math.Sqrt(squares));
        }

        Group.Barrier();
        int pieces = (w.Count + 3) / 4, stride = Grid.DimX * Group.DimX;
        for (int i = Grid.IdxX * Group.DimX + Group.IdxX; i < pieces; i += stride)
        {
            TPiece.Store(w.Y, 0, i, w.Count, TPiece.Load(w.X, 0, i, w.Count) * factor[0] * factor[1]);
        }
    }
}
