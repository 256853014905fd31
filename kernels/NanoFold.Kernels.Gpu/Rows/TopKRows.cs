using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>Operands of top-k: x [N, C], values and indices [N, k].</summary>
internal struct TopKRows<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Values;
    public ArrayView<int> Indices;
    public long XRow, XColumn, ValueRow, ValueColumn, IndexRow, IndexColumn;
    public int Count, Width, K;

    public static ulong Key(in TopKRows<T> rows, int row, int column) => TopKKey.Of(T.Read(rows.X[row * rows.XRow + column * rows.XColumn]), column);

    public static void Write(in TopKRows<T> rows, int row, int rank, ulong key)
    {
        rows.Values[row * rows.ValueRow + rank * rows.ValueColumn] = T.Write(TopKKey.Value(key));
        rows.Indices[row * rows.IndexRow + rank * rows.IndexColumn] = TopKKey.Index(key);
    }
}
