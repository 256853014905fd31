using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>y = x times 0 or 1/(1 − rate) (+ y), any strides, the four elements of one call of Philox a thread.</summary>
internal struct DropoutWork<T> : IGpuWork<DropoutWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Y;

    /// <summary>y, x.</summary>
    public Shape Shape;
    public DropoutDraw Draw;
    public int Accumulate;

    public static void Run(DropoutWork<T> w)
    {
        ulong key = DropoutDraw.Key(w.Draw);
        int four = Grid.IdxX * Group.DimX + Group.IdxX, i = 4 * four;
        if (i >= w.Shape.Count)
        {
            return;
        }

        Four<float> factor = DropoutDraw.Factors(w.Draw, key, four);
        One(w, i, factor.A);
        One(w, i + 1, factor.B);
        One(w, i + 2, factor.C);
        One(w, i + 3, factor.D);
    }

    private static void One(in DropoutWork<T> w, int i, float factor)
    {
        if (i >= w.Shape.Count)
        {
            return;
        }

        float value = T.Read(w.X[Shape.At(w.Shape, w.Shape.A, i)]) * factor;
        long at = Shape.At(w.Shape, w.Shape.Y, i);
        w.Y[at] = T.Write(w.Accumulate != 0 ? T.Read(w.Y[at]) + value : value);
    }
}
