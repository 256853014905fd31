using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>Σ x² of contiguous memory, one double a group. Four squares are added in single precision: doubles are slow on many GPUs.</summary>
internal struct SquareSumWork : IGpuWork<SquareSumWork>
{
    public ArrayView<F32> X;
    public ArrayView<double> Sums;

    /// <summary>Elements, and how many of them are aligned pieces.</summary>
    public long Count, Whole;

    public static void Run(SquareSumWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        long threads = (long)Grid.DimX * Group.DimX, thread = (long)Grid.IdxX * Group.DimX + Group.IdxX, step = 4 * threads, at = 4 * thread;
        for (; at + 3 * step < w.Whole; at += 4 * step)
        {
            Float4 a = AlignedPiece.Load(w.X, at), b = AlignedPiece.Load(w.X, at + step);
            Float4 c = AlignedPiece.Load(w.X, at + 2 * step), d = AlignedPiece.Load(w.X, at + 3 * step);
            sum += (double)Float4.Dot(a, a) + Float4.Dot(b, b) + ((double)Float4.Dot(c, c) + Float4.Dot(d, d));
        }

        for (; at < w.Whole; at += step)
        {
            Float4 a = AlignedPiece.Load(w.X, at);
            sum += Float4.Dot(a, a);
        }

        for (at = w.Whole + thread; at < w.Count; at += threads)
        {
            float a = F32.Read(w.X[at]);
            sum += a * a;
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            w.Sums[Grid.IdxX] = sum;
        }
    }
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

/// <summary>y = x / (√Σ + ε), where each group adds up the sums Σ of squares for itself; a zero matrix stays zero, with ε = 0 too.</summary>
internal struct NormalizeWork<TPiece> : IGpuWork<NormalizeWork<TPiece>>
    where TPiece : struct, IPiece
{
    public ArrayView<F32> X, Y;
    public ArrayView<double> Sums;
    public ArrayView<long> State;
    public double Epsilon;
    public int Groups, Count;

    public static void Run(NormalizeWork<TPiece> w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        ArrayView<float> factor = SharedMemory.Allocate<float>(1);
        if (Slots.Double(w.State, StepSlot.GradientScale) == 0)
        {
            return;
        }

        double squares = 0;
        for (int g = Group.IdxX; g < w.Groups; g += Group.DimX)
        {
            squares += w.Sums[g];
        }

        squares = GroupReduce.Sum(shared, squares);
        if (Group.IdxX == 0)
        {
            double norm = Math.Sqrt(squares) + w.Epsilon;
            // A norm that is not a number divides too: it has to show.
            factor[0] = norm == 0 ? 0 : (float)(1 / norm);
        }

        Group.Barrier();
        int pieces = (w.Count + 3) / 4, stride = Grid.DimX * Group.DimX;
        for (int i = Grid.IdxX * Group.DimX + Group.IdxX; i < pieces; i += stride)
        {
            TPiece.Store(w.Y, 0, i, w.Count, TPiece.Load(w.X, 0, i, w.Count) * factor[0]);
        }
    }
}
