using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>
/// Sums across what lies side by side: the grid is blocks of columns, segments of rows. Of a group's threads some stand side by side, a column each;
/// the others take further rows, and are added in shared memory.
/// </summary>
internal struct ColumnSumWork<T> : IGpuWork<ColumnSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X;
    public Nest Reduced;
    public int SegmentLength;

    /// <summary>Threads side by side, a power of two of at most a group's.</summary>
    public int Columns;
    public SumTarget Target;

    public static void Run(ColumnSumWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int thread = Group.IdxX, lane = thread / w.Columns, lanes = Group.DimX / w.Columns, segment = Grid.IdxY;
        int output = Grid.IdxX * w.Columns + (thread & (w.Columns - 1));
        bool isInside = output < w.Target.Kept.Count;
        int i = segment * w.SegmentLength + lane, end = isInside ? IntrinsicMath.Min(w.Reduced.Count, (segment + 1) * w.SegmentLength) : 0;
        long x = isInside ? Nest.At(w.Target.Kept, w.Target.Kept.A, output) : 0;
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (; i + 3 * lanes < end; i += 4 * lanes)
        {
            s0 += At(w, x, i);
            s1 += At(w, x, i + lanes);
            s2 += At(w, x, i + 2 * lanes);
            s3 += At(w, x, i + 3 * lanes);
        }

        for (; i < end; i += lanes)
        {
            s0 += At(w, x, i);
        }

        shared[thread] = s0 + s1 + (s2 + s3);
        Group.Barrier();
        for (int half = lanes >> 1; half > 0; half >>= 1)
        {
            if (lane < half)
            {
                shared[thread] += shared[thread + half * w.Columns];
            }

            Group.Barrier();
        }

        if (lane == 0 && isInside)
        {
            SumTarget.Write(w.Target, output, segment, shared[thread]);
        }
    }

    private static float At(in ColumnSumWork<T> w, long x, int i) => T.Read(w.X[x + Nest.At(w.Reduced, w.Reduced.Y, i)]);
}

/// <summary>As <see cref="ColumnSumWork{T}"/>, four columns a thread.</summary>
internal struct FourColumnSumWork<T> : IGpuWork<FourColumnSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<Vector4<T>> X;
    public Nest Reduced;
    public int SegmentLength;

    /// <summary>Threads side by side, a power of two of at most a group's.</summary>
    public int Columns;
    public SumTarget Target;

    public static void Run(FourColumnSumWork<T> w)
    {
        ArrayView<Vector4<float>> shared = SharedMemory.Allocate<Vector4<float>>(GroupReduce.Most);
        int thread = Group.IdxX, lane = thread / w.Columns, lanes = Group.DimX / w.Columns, segment = Grid.IdxY;
        int output = 4 * (Grid.IdxX * w.Columns + (thread & (w.Columns - 1)));
        bool isInside = output < w.Target.Kept.Count;
        int i = segment * w.SegmentLength + lane, end = isInside ? IntrinsicMath.Min(w.Reduced.Count, (segment + 1) * w.SegmentLength) : 0;
        long x = isInside ? Nest.At(w.Target.Kept, w.Target.Kept.A, output) : 0;
        Vector4<float> a = default, b = default;
        for (; i + 3 * lanes < end; i += 4 * lanes)
        {
            Vector4<T> x0 = At(w, x, i), x1 = At(w, x, i + lanes), x2 = At(w, x, i + 2 * lanes), x3 = At(w, x, i + 3 * lanes);
            a = Add(Add(a, x0), x2);
            b = Add(Add(b, x1), x3);
        }

        for (; i < end; i += lanes)
        {
            a = Add(a, At(w, x, i));
        }

        shared[thread] = Add(a, b);
        Group.Barrier();
        for (int half = lanes >> 1; half > 0; half >>= 1)
        {
            if (lane < half)
            {
                shared[thread] = Add(shared[thread], shared[thread + half * w.Columns]);
            }

            Group.Barrier();
        }

        if (lane == 0 && isInside)
        {
            Vector4<float> sum = shared[thread];
            SumTarget.Write(w.Target, output, segment, sum.A);
            SumTarget.Write(w.Target, output + 1, segment, sum.B);
            SumTarget.Write(w.Target, output + 2, segment, sum.C);
            SumTarget.Write(w.Target, output + 3, segment, sum.D);
        }
    }

    private static Vector4<T> At(in FourColumnSumWork<T> w, long x, int i) => w.X[(x + Nest.At(w.Reduced, w.Reduced.Y, i)) >> 2];

    private static Vector4<float> Add(Vector4<float> sum, Vector4<T> x)
    {
        sum.A += T.Read(x.A);
        sum.B += T.Read(x.B);
        sum.C += T.Read(x.C);
        sum.D += T.Read(x.D);
        return sum;
    }

    private static Vector4<float> Add(Vector4<float> sum, Vector4<float> x)
    {
        sum.A += x.A;
        sum.B += x.B;
        sum.C += x.C;
        sum.D += x.D;
        return sum;
    }
}
