using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>Pieces of rows that are aligned to four elements and a multiple of four long: one load, one store each.</summary>
internal readonly struct WholePiece : IPiece
{
    public static Quad Load<T>(ArrayView<T> x, long row, int index, int width)
        where T : unmanaged, IElement<T>
    {
        // Without a branch: a thread behind the end reads the row's first piece, and drops it.
        bool isInside = 4 * index < width;
        Quad value = Load(x, row + (isInside ? 4 * index : 0));
        return isInside ? value : default;
    }

    public static void Store<T>(ArrayView<T> y, long row, int index, int width, Quad value)
        where T : unmanaged, IElement<T>
    {
        if (4 * index < width)
        {
            Store(y, row + 4L * index, value);
        }
    }

    /// <summary>The piece at an element, whose number is a multiple of four.</summary>
    public static Quad Load<T>(ArrayView<T> x, long element)
        where T : unmanaged, IElement<T>
        => Quad.Read(x.Cast<Four<T>>()[element >> 2]);

    /// <inheritdoc cref="Load{T}(ArrayView{T}, long)"/>
    public static void Store<T>(ArrayView<T> y, long element, Quad value)
        where T : unmanaged, IElement<T>
        => y.Cast<Four<T>>()[element >> 2] = Quad.Write<T>(value);

    /// <summary>Whether rows of the last dimension begin at multiples of four elements.</summary>
    public static bool IsAligned(in View x)
    {
        Layout layout = x.Layout;
        bool fits = x.IsNone || (x.Offset % 4 == 0 && (layout.Rank == 0 || layout[-1] == 1 || layout.Stride(-1) == 1));
        for (int axis = 0; fits && axis < layout.Rank - 1; axis++)
        {
            fits = layout[axis] == 1 || layout.Stride(axis) % 4 == 0;
        }

        return fits;
    }

    /// <summary>How many elements of a row of <paramref name="width"/> are in aligned pieces, from its start; the rest goes one by one.</summary>
    public static long Elements(in View x, long width) => IsAligned(x) ? width / 4 * 4 : 0;

    /// <summary>Pieces of a row.</summary>
    public static int Count(int width) => (width + 3) / 4;
}
