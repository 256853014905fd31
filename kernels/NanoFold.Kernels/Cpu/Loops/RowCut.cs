using NanoFold.Kernels.Cpu.Pointwise;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>Cuts rows × inner elements into work items: several short rows, or a piece of a long one. A function of the shape only.</summary>
public readonly struct RowCut
{
    private readonly long _rows;
    private readonly long _inner;
    private readonly long _rowsPerItem;
    private readonly long _piecesPerRow;
    private readonly long _piece;

    public RowCut(long rows, long inner, long itemElements = Map.ItemElements)
    {
        _rows = rows;
        _inner = inner;
        _rowsPerItem = Math.Max(1, itemElements / Math.Max(1, inner));
        _piece = itemElements;
        _piecesPerRow = _rowsPerItem > 1 ? 1 : (inner + itemElements - 1) / itemElements;
        Items = _piecesPerRow * ((rows + _rowsPerItem - 1) / _rowsPerItem);
    }

    public long Items { get; }

    public void Item(long item, out long firstRow, out long rows, out long start, out long length)
    {
        long group = item / _piecesPerRow, piece = item - group * _piecesPerRow;
        firstRow = group * _rowsPerItem;
        rows = Math.Min(_rowsPerItem, _rows - firstRow);
        start = piece * _piece;
        length = _piecesPerRow == 1 ? _inner : Math.Min(_piece, _inner - start);
    }
}

/// <summary>How rows are cut into work items: by shape only, so that results do not depend on the number of threads.</summary>
public static class RowBlocks
{
    private const int ElementsPerItem = 16384;
    private const int MostRowsPerItem = 256;

    /// <summary>Rows of one item.</summary>
    public static int RowsPerItem(int width) => Math.Clamp(ElementsPerItem / width, 1, MostRowsPerItem);

    /// <summary>Rows of one item where there may be no more than <paramref name="mostItems"/>.</summary>
    public static long RowsPerItem(long rows, int width, int mostItems) => Math.Max(RowsPerItem(width), (rows + mostItems - 1) / mostItems);

    public static long Items(long rows, long rowsPerItem) => (rows + rowsPerItem - 1) / rowsPerItem;
}
