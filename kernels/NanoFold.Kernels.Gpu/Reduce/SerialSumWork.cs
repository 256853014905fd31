using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Short sums: one a thread.</summary>
internal struct SerialSumWork<T> : IGpuWork<SerialSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X;
    public Shape Reduced;
    public SumTarget Target;

    public static void Run(SerialSumWork<T> w)
    {
        int output = Grid.IdxX * Group.DimX + Group.IdxX;
        if (output >= w.Target.Kept.Count)
        {
            return;
        }

        long x = Shape.At(w.Target.Kept, w.Target.Kept.A, output);
        float sum = 0;
        for (int i = 0; i < w.Reduced.Count; i++)
        {
            sum += T.Read(w.X[x + Shape.At(w.Reduced, w.Reduced.Y, i)]);
        }

        SumTarget.Write(w.Target, output, 0, sum);
    }
}
