using NanoFold.Kernels.Cpu.Pointwise;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>Cuts rows × inner elements into work items: several short rows, or a piece of a long one. A function of the shape only.</summary>
internal readonly struct RowCut
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
