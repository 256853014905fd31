using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>
/// The pieces of a row that one lane keeps in registers: those at index, index + lanes, index + 2 lanes and so on. How many is known when a kernel
/// is compiled, so that loops over them are unrolled: loads of all of them are under way together.
/// </summary>
internal interface IPieces<TSelf>
    where TSelf : struct, IPieces<TSelf>
{
    /// <summary>How many.</summary>
    static abstract int Count { get; }

    static abstract TSelf All(float value);

    static abstract TSelf Load<T, TPiece>(ArrayView<T> x, long row, int index, int lanes, int width)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece;

    static abstract void Store<T, TPiece>(ArrayView<T> y, long row, int index, int lanes, int width, TSelf value)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece;

    /// <summary>Adds up what the runs of a group have, in their order, and stores it; all threads call.</summary>
    static abstract void StoreSum(ArrayView<Quad> shared, ArrayView<F32> y, long row, int index, int lanes, int width, TSelf value);

    /// <summary>x − mean in the elements of the row, 0 behind its end.</summary>
    static abstract TSelf Centered(TSelf x, float mean, int index, int lanes, int width);

    static abstract float Sum(TSelf x);

    static abstract float Dot(TSelf x, TSelf y);

    static abstract TSelf operator +(TSelf x, TSelf y);

    static abstract TSelf operator +(TSelf x, float y);

    static abstract TSelf operator *(TSelf x, TSelf y);

    static abstract TSelf operator *(TSelf x, float y);
}
