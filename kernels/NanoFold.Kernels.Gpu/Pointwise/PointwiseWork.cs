using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>(y, z) = op(a, b, c), an element a thread, any strides.</summary>
internal struct PointwiseWork<TOp, T> : IGpuWork<PointwiseWork<TOp, T>>
    where TOp : struct, IPointwise
    where T : unmanaged, IElement<T>
{
    public TOp Op;
    public Shape Shape;
    public ArrayView<T> A, B, C, Y, Z;
    public int AccumulateY, AccumulateZ;

    public static void Run(PointwiseWork<TOp, T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Shape.Count)
        {
            return;
        }

        GpuLane b = default, c = default;
        var a = new GpuLane(T.Read(w.A[Shape.At(w.Shape, w.Shape.A, i)]));
        if (TOp.Operands > 1)
        {
            b = new GpuLane(T.Read(w.B[Shape.At(w.Shape, w.Shape.B, i)]));
        }

        if (TOp.Operands > 2)
        {
            c = new GpuLane(T.Read(w.C[Shape.At(w.Shape, w.Shape.C, i)]));
        }

        float y = w.Op.Invoke(a, b, c, out GpuLane second).Value;
        long at = Shape.At(w.Shape, w.Shape.Y, i);
        w.Y[at] = T.Write(w.AccumulateY != 0 ? T.Read(w.Y[at]) + y : y);
        if (TOp.IsPair)
        {
            at = Shape.At(w.Shape, w.Shape.Z, i);
            w.Z[at] = T.Write(w.AccumulateZ != 0 ? T.Read(w.Z[at]) + second.Value : second.Value);
        }
    }
}
