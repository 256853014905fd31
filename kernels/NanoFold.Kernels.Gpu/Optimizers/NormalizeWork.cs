using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

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
