using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>
/// Reads and writes rows in pieces of four elements, a piece a thread; what lies past a row's end is 0 and never written.
/// Kernels are compiled for each way, so that loads of one thread need not wait for each other behind branches.
/// </summary>
internal interface IPiece
{
    /// <param name="x">Memory of the rows.</param>
    /// <param name="row">The row's first element.</param>
    /// <param name="index">The piece in the row, or one past its end.</param>
    /// <param name="width">Elements of the row, 0 for a row that is not there.</param>
    static abstract Float4 Load<T>(ArrayView<T> x, long row, int index, int width)
        where T : unmanaged, IElement<T>;

    static abstract void Store<T>(ArrayView<T> y, long row, int index, int width, Float4 value)
        where T : unmanaged, IElement<T>;
}

/// <summary>Pieces of rows that are aligned to four elements and a multiple of four long: one load, one store each.</summary>
internal readonly struct AlignedPiece : IPiece
{
    public static Float4 Load<T>(ArrayView<T> x, long row, int index, int width)
        where T : unmanaged, IElement<T>
    {
        // Without a branch: a thread past the end reads the row's first piece, and drops it.
        bool isInside = 4 * index < width;
        Float4 value = Load(x, row + (isInside ? 4 * index : 0));
        return isInside ? value : default;
    }

    public static void Store<T>(ArrayView<T> y, long row, int index, int width, Float4 value)
        where T : unmanaged, IElement<T>
    {
        if (4 * index < width)
        {
            Store(y, row + 4L * index, value);
        }
    }

    /// <summary>The piece at an element, whose number is a multiple of four.</summary>
    public static Float4 Load<T>(ArrayView<T> x, long element)
        where T : unmanaged, IElement<T>
        => Float4.Read(x.Cast<Vector4<T>>()[element >> 2]);

    /// <inheritdoc cref="Load{T}(ArrayView{T}, long)"/>
    public static void Store<T>(ArrayView<T> y, long element, Float4 value)
        where T : unmanaged, IElement<T>
        => y.Cast<Vector4<T>>()[element >> 2] = Float4.Write<T>(value);

    /// <summary>Whether rows of the last dimension begin at multiples of four elements, or of others.</summary>
    public static bool IsAligned(in View x, int multiple = 4)
    {
        Layout layout = x.Layout;
        bool fits = x.IsNone || (x.Offset % multiple == 0 && (layout.Rank == 0 || layout[-1] == 1 || layout.Stride(-1) == 1));
        for (int axis = 0; fits && axis < layout.Rank - 1; axis++)
        {
            fits = layout[axis] == 1 || layout.Stride(axis) % multiple == 0;
        }

        return fits;
    }

    /// <summary>How many elements of a row of <paramref name="width"/> are in aligned pieces, from its start; the rest goes one by one.</summary>
    public static long Elements(in View x, long width) => IsAligned(x) ? width / 4 * 4 : 0;

    /// <summary>Pieces of a row.</summary>
    public static int Count(int width) => (width + 3) / 4;
}

/// <summary>Pieces of any rows of stride 1, element by element.</summary>
internal readonly struct RaggedPiece : IPiece
{
    public static Float4 Load<T>(ArrayView<T> x, long row, int index, int width)
        where T : unmanaged, IElement<T>
    {
        long at = row + 4L * index;
        int count = width - 4 * index;
        return new(
            count > 0 ? T.Read(x[at]) : 0, count > 1 ? T.Read(x[at + 1]) : 0,
            count > 2 ? T.Read(x[at + 2]) : 0, count > 3 ? T.Read(x[at + 3]) : 0);
    }

    public static void Store<T>(ArrayView<T> y, long row, int index, int width, Float4 value)
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

/// <summary>Four neighbors of a row, as floats.</summary>
internal struct Float4(float a, float b, float c, float d)
{
    public float A = a, B = b, C = c, D = d;

    public static Float4 All(float value) => new(value, value, value, value);

    public static Float4 Read<T>(Vector4<T> x)
        where T : unmanaged, IElement<T>
        => new(T.Read(x.A), T.Read(x.B), T.Read(x.C), T.Read(x.D));

    public static Vector4<T> Write<T>(Float4 x)
        where T : unmanaged, IElement<T>
        => new() { A = T.Write(x.A), B = T.Write(x.B), C = T.Write(x.C), D = T.Write(x.D) };

    public static Float4 operator +(Float4 x, Float4 y) => new(x.A + y.A, x.B + y.B, x.C + y.C, x.D + y.D);

    public static Float4 operator -(Float4 x, Float4 y) => new(x.A - y.A, x.B - y.B, x.C - y.C, x.D - y.D);

    public static Float4 operator *(Float4 x, Float4 y) => new(x.A * y.A, x.B * y.B, x.C * y.C, x.D * y.D);

    public static Float4 operator *(Float4 x, float y) => new(x.A * y, x.B * y, x.C * y, x.D * y);

    public static Float4 operator +(Float4 x, float y) => new(x.A + y, x.B + y, x.C + y, x.D + y);

    public static float Sum(Float4 x) => x.A + x.B + (x.C + x.D);

    public static float Dot(Float4 x, Float4 y) => x.A * y.A + x.B * y.B + (x.C * y.C + x.D * y.D);

    /// <summary>x − y in the first <paramref name="count"/> of the four, 0 in those after.</summary>
    public static Float4 Centered(Float4 x, float y, int count) => new(
        count > 0 ? x.A - y : 0, count > 1 ? x.B - y : 0, count > 2 ? x.C - y : 0, count > 3 ? x.D - y : 0);
}
