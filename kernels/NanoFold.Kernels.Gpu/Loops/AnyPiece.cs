using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>Pieces of any rows of stride 1, element by element.</summary>
internal readonly struct AnyPiece : IPiece
{
    public static Quad Load<T>(ArrayView<T> x, long row, int index, int width)
        where T : unmanaged, IElement<T>
    {
        long at = row + 4L * index;
        int count = width - 4 * index;
        return new(
            count > 0 ? T.Read(x[at]) : 0, count > 1 ? T.Read(x[at + 1]) : 0,
            count > 2 ? T.Read(x[at + 2]) : 0, count > 3 ? T.Read(x[at + 3]) : 0);
    }

    public static void Store<T>(ArrayView<T> y, long row, int index, int width, Quad value)
        where T : unmanaged, IElement<T>
    {
        long at = row + 4L * index;
        int count = width - 4 * index;
        if (count > 0)
        {
            y[at] = T.Write(value.A);
        }

        if (count > 1)
        {
            y[at + 1] = T.Write(value.B);
        }

        if (count > 2)
        {
            y[at + 2] = T.Write(value.C);
        }

        if (count > 3)
        {
            y[at + 3] = T.Write(value.D);
        }
    }
}
