using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// Rows in pieces of four elements, a piece a thread. Where rows are aligned to four a whole piece is one load; what lies behind a row's end
/// is never touched.
/// </summary>
internal static class Piece
{
    /// <param name="x">Memory of the rows.</param>
    /// <param name="row">The row's first element, a multiple of four where it is wide.</param>
    /// <param name="index">The piece in the row.</param>
    /// <param name="width">Elements of the row.</param>
    /// <param name="isWide">Not 0 where rows are aligned.</param>
    /// <param name="missing">What elements behind the row's end are.</param>
    public static Quad Load<T>(ArrayView<T> x, long row, int index, int width, int isWide, float missing = 0)
        where T : unmanaged, IElement<T>
    {
        long at = row + 4L * index;
        int count = width - 4 * index;
        if (isWide != 0 && count > 3)
        {
            return Quad.Read(x.Cast<Four<T>>()[at >> 2]);
        }

        return new(
            count > 0 ? T.Read(x[at]) : missing, count > 1 ? T.Read(x[at + 1]) : missing,
            count > 2 ? T.Read(x[at + 2]) : missing, count > 3 ? T.Read(x[at + 3]) : missing);
    }

    public static void Store<T>(ArrayView<T> y, long row, int index, int width, int isWide, Quad value)
        where T : unmanaged, IElement<T>
    {
        long at = row + 4L * index;
        int count = width - 4 * index;
        if (isWide != 0 && count > 3)
        {
            y.Cast<Four<T>>()[at >> 2] = Quad.Write<T>(value);
            return;
        }

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

    /// <summary>As above, or added to what is there.</summary>
    public static void Store<T>(ArrayView<T> y, long row, int index, int width, int isWide, Quad value, int accumulate)
        where T : unmanaged, IElement<T>
        => Store(y, row, index, width, isWide, accumulate != 0 ? Load(y, row, index, width, isWide) + value : value);

    public static int Of(int width) => (width + 3) / 4;

    /// <summary>Whether rows of the last dimension are aligned to four: its stride is 1, the others and the offset are multiples of four.</summary>
    public static bool IsWide(in View x)
    {
        Layout layout = x.Layout;
        bool fits = x.IsNone || (x.Offset % 4 == 0 && (layout.Rank == 0 || layout[-1] == 1 || layout.Stride(-1) == 1));
        for (int axis = 0; fits && axis < layout.Rank - 1; axis++)
        {
            fits = layout[axis] == 1 || layout.Stride(axis) % 4 == 0;
        }

        return fits;
    }
}
