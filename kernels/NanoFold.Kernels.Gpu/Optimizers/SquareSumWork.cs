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
            Quad a = WholePiece.Load(w.X, at), b = WholePiece.Load(w.X, at + step);
            Quad c = WholePiece.Load(w.X, at + 2 * step), d = WholePiece.Load(w.X, at + 3 * step);
            sum += (double)Quad.Dot(a, a) + Quad.Dot(b, b) + ((double)Quad.Dot(c, c) + Quad.Dot(d, d));
        }

        for (; at < w.Whole; at += step)
        {
            Quad a = WholePiece.Load(w.X, at);
            sum += Quad.Dot(a, a);
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
