using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// Operands of table[ids[i], :] += x[i, :] with the ids sorted. Sorted places are cut into chunks; a run of equal ids that lies within a chunk goes to the
/// table, what of it lies in several chunks to partial sums [chunk, 2, C]: first of the run that came from the chunk before, second of the one that goes on.
/// </summary>
internal struct ScatterRows<T, TTable>
    where T : unmanaged, IElement<T>
    where TTable : unmanaged, IElement<TTable>
{
    public const int Chunk = 32;

    public ArrayView<T> X;
    public ArrayView<TTable> Table;
    public ArrayView<int> Ids, Order;
    public ArrayView<float> Partial;

    /// <summary>Rows of x.</summary>
    public Shape Rows;
    public long XColumn, TableRow, TableColumn;
    public int TableRows, Width;

    public static float Read(in ScatterRows<T, TTable> w, int place, int column) =>
        T.Read(w.X[Shape.At(w.Rows, w.Rows.Y, w.Order[place]) + column * w.XColumn]);

    public static void Add(in ScatterRows<T, TTable> w, int id, int column, float sum)
    {
        long at = id * w.TableRow + column * w.TableColumn;
        w.Table[at] = TTable.Write(TTable.Read(w.Table[at]) + sum);
    }

    public static long PartialAt(in ScatterRows<T, TTable> w, int chunk, int which, int column) => (2L * chunk + which) * w.Width + column;
}
