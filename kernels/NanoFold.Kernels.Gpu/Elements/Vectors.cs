using ILGPU;

namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>Where four elements may be loaded at once.</summary>
internal static class Vectors
{
    /// <summary>A view's memory in fours; what is left over at the end is not in it.</summary>
    public static ArrayView<Vector4<T>> Of<T>(GpuContext context, in View view)
        where T : unmanaged
    {
        ArrayView<T> elements = context.View<T>(view);
        return elements.SubView(0, elements.Length / 4 * 4).Cast<Vector4<T>>();
    }

    /// <summary>Contiguous, of y's shape, a multiple of four long, its first element aligned to four (buffers are aligned to 256 bytes).</summary>
    public static bool IsFlat(in View x, in View y) =>
        x.Layout.IsContiguous && x.Count == y.Count && x.Count % 4 == 0 && x.Offset % 4 == 0;

    /// <summary>Rows of the last dimension can be read in fours: its stride is 1, all others, its length and the offset are multiples of four.</summary>
    public static bool HasFlatRows(in View x)
    {
        Layout layout = x.Layout;
        bool fits = layout.Rank > 0 && layout.Stride(-1) == 1 && layout[-1] % 4 == 0 && x.Offset % 4 == 0;
        for (int axis = 0; fits && axis < layout.Rank - 1; axis++)
        {
            fits = layout[axis] == 1 || layout.Stride(axis) % 4 == 0;
        }

        return fits;
    }
}

/// <summary>Four neighbors, loaded and stored at once where they are aligned to their size.</summary>
internal struct Vector4<T>
    where T : unmanaged
{
    public T A;
    public T B;
    public T C;
    public T D;
}
