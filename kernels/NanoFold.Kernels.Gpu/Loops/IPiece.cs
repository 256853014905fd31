using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>
/// Reads and writes rows in pieces of four elements, a piece a thread; what lies behind a row's end is 0 and never written.
/// Kernels are compiled for each way, so that loads of one thread need not wait for each other behind branches.
/// </summary>
internal interface IPiece
{
    /// <param name="x">Memory of the rows.</param>
    /// <param name="row">The row's first element.</param>
    /// <param name="index">The piece in the row, or one behind its end.</param>
    /// <param name="width">Elements of the row, 0 for a row that is not there.</param>
    static abstract Quad Load<T>(ArrayView<T> x, long row, int index, int width)
        where T : unmanaged, IElement<T>;

    static abstract void Store<T>(ArrayView<T> y, long row, int index, int width, Quad value)
        where T : unmanaged, IElement<T>;
}
