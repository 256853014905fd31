using System.Numerics;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>Some rows of a product over a block of depth: its panels of a, and what the tiles do with them for each strip of b.</summary>
internal readonly unsafe ref struct RowBlock<TKernel, TOperands, O, V, T>
    where TKernel : struct, IMicroKernel
    where TOperands : struct, IOperands<T>
    where O : struct, IVectorOps<V>
    where V : struct
    where T : unmanaged, INumberBase<T>
{
    private readonly ref readonly Product _product;
    private readonly int _row;
    private readonly int _rows;
    private readonly int _k;
    private readonly int _depth;
    private readonly bool _packs;
    private readonly T* _panels;
    private readonly T* _tile;

    /// <param name="k">The first step of the block.</param>
    /// <param name="depth">How many steps.</param>
    /// <param name="packs">Full panels are packed too, else read where they lie.</param>
    /// <param name="panels">Room for panels of all rows.</param>
    /// <param name="tile">Room for the rows of one strip of y.</param>
    public RowBlock(in Product product, int row, int rows, int k, int depth, bool packs, T* panels, T* tile)
    {
        _product = ref product;
        _row = row;
        _rows = rows;
        _k = k;
        _depth = depth;
        _packs = packs;
        _panels = panels;
        _tile = tile;
    }

    private bool IsFirst => _k == 0;

    /// <summary>Bias and residual come after the whole sum: the bits are those of a product and an addition after it.</summary>
    private bool IsLast => (_k + _depth) * TOperands.StepDepth >= _product.Depth;

    /// <summary>Tiles add to y in place where its columns and those of what is added once are adjacent.</summary>
    private bool HasAdjacentColumns => _product.YColumn == sizeof(T)
        && !(IsLast && (IsOdd(_product.Bias) || IsOdd(_product.Residual)));

    /// <summary>Packs the panels that are not read in place; zeros below the last row.</summary>
    public void Pack()
    {
        for (int done = 0; done < _rows;)
        {
            var group = new PanelGroup<TKernel>(done, _rows);
            if (!IsInPlace(group))
            {
                int elements = Math.Min(_depth * TOperands.StepDepth, _product.Depth - _k * TOperands.StepDepth);
                TOperands.PackPanels(new Lines(A(group), _product.ARow, _product.AStep, group.Rows, elements), group.Height, Panel(group));
            }

            done = group.End;
        }
    }

    /// <summary>The rows of y at <paramref name="columns"/> columns, at most the width of a strip.</summary>
    public void Multiply(int column, int columns, byte* b, nint bStep)
    {
        bool narrow = columns <= TKernel.Columns / 2;
        bool whole = (columns == TKernel.Columns || columns == TKernel.Columns / 2) && HasAdjacentColumns;
        for (int done = FirstRow(column); done < _rows;)
        {
            var group = new PanelGroup<TKernel>(done, _rows);
            if (whole && group.IsFull)
            {
                Run(group, narrow, b, bStep, Y(group.First, column), _product.YRow, !IsFirst || _product.Accumulate);
                if (IsLast && _product.HasAddend)
                {
                    Add(group, column, columns);
                }
            }
            else
            {
                Run(group, narrow, b, bStep, (byte*)_tile, TKernel.Columns * sizeof(T), false);
                Merge(group, column, columns);
            }

            done = group.End;
        }
    }

    /// <summary>The first row that the strip at <paramref name="column"/> needs: full panels that lie above the diagonal of a symmetric y are left out.</summary>
    private int FirstRow(int column)
    {
        var full = new PanelGroup<TKernel>(0, _rows);
        return _product.IsSymmetric && column > _row && full.Height == TKernel.Rows
            ? Math.Min((column - _row) / TKernel.Rows, full.Count) * TKernel.Rows
            : 0;
    }

    private void Run(in PanelGroup<TKernel> group, bool narrow, byte* b, nint bStep, byte* y, nint yRow, bool accumulate)
    {
        if (!IsInPlace(group))
        {
            TKernel.Run<PackedPanel>(group.Height, narrow, group.Count, _depth, (byte*)Panel(group), 0, b, bStep, y, yRow, _product.Alpha, accumulate);
        }
        else if (_product.AStep == sizeof(T))
        {
            TKernel.Run<DirectPanel>(group.Height, narrow, group.Count, _depth, A(group), _product.ARow, b, bStep, y, yRow, _product.Alpha, accumulate);
        }
        else
        {
            TKernel.Run<ColumnPanel>(group.Height, narrow, group.Count, _depth, A(group), _product.AStep, b, bStep, y, yRow, _product.Alpha, accumulate);
        }
    }

    /// <summary>y += bias + residual, while it is in the first-level cache.</summary>
    private void Add(in PanelGroup<TKernel> group, int column, int columns)
    {
        byte* y = Y(group.First, column);
        byte* bias = _product.Bias.At(_row + group.First, column);
        byte* residual = _product.Residual.At(_row + group.First, column);
        for (int i = 0; i < group.Rows; i++)
        {
            for (int j = 0; j < columns * sizeof(T); j += O.Bytes)
            {
                V value = O.Load(y + j);
                value = _product.Bias.IsNone ? value : O.Add(value, O.Load(bias + j));
                value = _product.Residual.IsNone ? value : O.Add(value, O.Load(residual + j));
                O.Store(y + j, value);
            }

            y += _product.YRow;
            bias += _product.Bias.Row;
            residual += _product.Residual.Row;
        }
    }

    /// <summary>Brings panels that reach beyond the edge of y from the side; a row of the tile is a full strip wide.</summary>
    private void Merge(in PanelGroup<TKernel> group, int column, int columns)
    {
        if (HasAdjacentColumns)
        {
            MergeRows(group, column, columns);
            return;
        }

        for (int i = 0; i < group.Rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                Merging.Write(_product, (T*)Y(group.First + i, column + j), _tile[i * TKernel.Columns + j], _row + group.First + i, column + j, IsFirst, IsLast);
            }
        }
    }

    /// <summary>The same to the bit where columns are adjacent, vector by vector.</summary>
    private void MergeRows(in PanelGroup<TKernel> group, int column, int columns)
    {
        bool adds = !IsFirst || _product.Accumulate, hasBias = IsLast && !_product.Bias.IsNone, hasResidual = IsLast && !_product.Residual.IsNone;
        int lane = O.Bytes / sizeof(T);
        for (int i = 0; i < group.Rows; i++)
        {
            byte* y = Y(group.First + i, column), tile = (byte*)(_tile + i * TKernel.Columns);
            byte* bias = hasBias ? _product.Bias.At(_row + group.First + i, column) : null, residual = hasResidual ? _product.Residual.At(_row + group.First + i, column) : null;
            int whole = columns / lane * lane;
            for (nint j = 0; j < whole * sizeof(T); j += O.Bytes)
            {
                V value = O.Load(tile + j);
                value = adds ? O.Add(O.Load(y + j), value) : value;
                value = hasBias ? O.Add(value, O.Load(bias + j)) : value;
                value = hasResidual ? O.Add(value, O.Load(residual + j)) : value;
                O.Store(y + j, value);
            }

            if (columns - whole is > 0 and var rest)
            {
                nint j = whole * sizeof(T);
                V value = O.LoadPart(tile + j, rest);
                value = adds ? O.Add(O.LoadPart(y + j, rest), value) : value;
                value = hasBias ? O.Add(value, O.LoadPart(bias + j, rest)) : value;
                value = hasResidual ? O.Add(value, O.LoadPart(residual + j, rest)) : value;
                O.StorePart(y + j, rest, value);
            }
        }
    }

    private byte* Y(int row, int column) => _product.Y + (_row + row) * _product.YRow + column * _product.YColumn;

    private byte* A(in PanelGroup<TKernel> group) => _product.A + (_row + group.First) * _product.ARow + _k * TOperands.StepDepth * _product.AStep;

    private T* Panel(in PanelGroup<TKernel> group) => _panels + (nint)group.First * _depth;

    private bool IsInPlace(in PanelGroup<TKernel> group) => !_packs && group.IsFull;

    private static bool IsOdd(in Addend addend) => !addend.IsNone && addend.Column != sizeof(T);
}
