using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Sums along what lies side by side: the grid is outputs, segments; a group adds up one segment.</summary>
internal struct RowSumWork<T> : IGpuWork<RowSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X;
    public Nest Reduced;
    public int SegmentLength;
    public SumTarget Target;

    public static void Run(RowSumWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int output = Grid.IdxX, segment = Grid.IdxY, step = Group.DimX;
        int i = segment * w.SegmentLength + Group.IdxX, end = IntrinsicMath.Min(w.Reduced.Count, (segment + 1) * w.SegmentLength);
        long x = Nest.At(w.Target.Kept, w.Target.Kept.A, output);
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

    private static float At(in RowSumWork<T> w, long x, int i) => T.Read(w.X[x + Nest.At(w.Reduced, w.Reduced.Y, i)]);
}

/// <summary>Short sums: one a thread.</summary>
internal struct SerialSumWork<T> : IGpuWork<SerialSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X;
    public Nest Reduced;
    public SumTarget Target;

    public static void Run(SerialSumWork<T> w)
    {
        int output = Grid.IdxX * Group.DimX + Group.IdxX;
        if (output >= w.Target.Kept.Count)
        {
            return;
        }

        long x = Nest.At(w.Target.Kept, w.Target.Kept.A, output);
        float sum = 0;
        for (int i = 0; i < w.Reduced.Count; i++)
        {
            sum += T.Read(w.X[x + Nest.At(w.Reduced, w.Reduced.Y, i)]);
        }

        SumTarget.Write(w.Target, output, 0, sum);
    }
}

/// <summary>Adds up the segments' sums in order, an output a thread.</summary>
internal struct CombineSumsWork : IGpuWork<CombineSumsWork>
{
    public SumTarget Target;

    public static void Run(CombineSumsWork w)
    {
        int output = Grid.IdxX * Group.DimX + Group.IdxX, segments = w.Target.Segments, outputs = w.Target.Kept.Count;
        if (output >= outputs)
        {
            return;
        }

        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        long at = output;
        int segment = 0;
        for (; segment <= segments - 4; segment += 4)
        {
            s0 += w.Target.Partial[at];
            s1 += w.Target.Partial[at + outputs];
            s2 += w.Target.Partial[at + 2L * outputs];
            s3 += w.Target.Partial[at + 3L * outputs];
            at += 4L * outputs;
        }

        for (; segment < segments; segment++)
        {
            s0 += w.Target.Partial[at];
            at += outputs;
        }

        w.Target.Segments = 1;
        SumTarget.Write(w.Target, output, 0, s0 + s1 + (s2 + s3));
    }
}

/// <summary>Where sums go: to y, or where a sum is cut into segments to partial sums [segment, output].</summary>
internal struct SumTarget
{
    /// <summary>What is kept: y, x.</summary>
    public Nest Kept;
    public ArrayView<F32> Y;
    public ArrayView<float> Partial;
    public int Segments, Accumulate;

    public static void Write(in SumTarget target, int output, int segment, float sum)
    {
        if (target.Segments > 1)
        {
            target.Partial[(long)segment * target.Kept.Count + output] = sum;
            return;
        }

        long at = Nest.At(target.Kept, target.Kept.Y, output);
        target.Y[at] = F32.Write(target.Accumulate != 0 ? F32.Read(target.Y[at]) + sum : sum);
    }
}
