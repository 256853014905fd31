using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>(y, z) = op(a, b, c) over contiguous memory aligned to four elements, four a thread.</summary>
internal struct FlatWork<TOp, T> : IGpuWork<FlatWork<TOp, T>>
    where TOp : struct, IPointwise
    where T : unmanaged, IElement<T>
{
    public TOp Op;
    public int Fours;
    public ArrayView<Four<T>> A, B, C, Y, Z;
    public int AccumulateY, AccumulateZ;

    public static void Run(FlatWork<TOp, T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Fours)
        {
            return;
        }

        Four<T> b = default, c = default, a = w.A[i];
        if (TOp.Operands > 1)
        {
            b = w.B[i];
        }

        if (TOp.Operands > 2)
        {
            c = w.C[i];
        }

        Four<T> y = default, z = default;
        if (w.AccumulateY != 0)
        {
            y = w.Y[i];
        }

        if (TOp.IsPair && w.AccumulateZ != 0)
        {
            z = w.Z[i];
        }

        y.A = One(w, a.A, b.A, c.A, y.A, z.A, out z.A);
        y.B = One(w, a.B, b.B, c.B, y.B, z.B, out z.B);
        y.C = One(w, a.C, b.C, c.C, y.C, z.C, out z.C);
        y.D = One(w, a.D, b.D, c.D, y.D, z.D, out z.D);
        w.Y[i] = y;
        if (TOp.IsPair)
        {
            w.Z[i] = z;
        }
    }

    private static T One(in FlatWork<TOp, T> w, T a, T b, T c, T y, T z, out T second)
    {
        float first = w.Op.Invoke(new GpuLane(T.Read(a)), new GpuLane(T.Read(b)), new GpuLane(T.Read(c)), out GpuLane other).Value;
        second = T.Write(w.AccumulateZ != 0 ? T.Read(z) + other.Value : other.Value);
        return T.Write(w.AccumulateY != 0 ? T.Read(y) + first : first);
    }
}
