using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Sums along what lies side by side: the grid is outputs, segments; a group adds up one segment.</summary>
internal struct RowSumWork<T> : IGpuWork<RowSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X;
    public Shape Reduced;
    public int SegmentLength;
    public SumTarget Target;

    public static void Run(RowSumWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int output = Grid.IdxX, segment = Grid.IdxY, step = Group.DimX;
        int i = segment * w.SegmentLength + Group.IdxX, end = IntrinsicMath.Min(w.Reduced.Count, (segment + 1) * w.SegmentLength);
        long x = Shape.At(w.Target.Kept, w.Target.Kept.A, output);
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (; i + 3 * step < end; i += 4 * step)
        {
            s0 += At(w, x, i);
            s1 += At(w, x, i + step);
            s2 += At(w, x, i + 2 * step);
            s3 += At(w, x, i + 3 * step);
        }

        for (; i < end; i += step)
        {
            s0 += At(w, x, i);
        }

        float sum = GroupReduce.Sum(shared, s0 + s1 + (s2 + s3));
        if (Group.IdxX == 0)
        {
            SumTarget.Write(w.Target, output, segment, sum);
        }
    }

    private static float At(in RowSumWork<T> w, long x, int i) => T.Read(w.X[x + Shape.At(w.Reduced, w.Reduced.Y, i)]);
}
