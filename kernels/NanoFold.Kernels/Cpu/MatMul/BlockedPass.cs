using System.Numerics;
using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// One span of columns and depth of a product: its b is packed first, then blocks of rows run over it. Both steps are cut into
/// items by shape; every element of y is summed by one item, over k in ascending order.
/// </summary>
internal unsafe struct BlockedPass<TKernel, V, T>
    where TKernel : struct, IMicroKernel
    where V : struct, ICpuLane<V>
    where T : unmanaged, INumberBase<T>
{
    private const int PackStrips = 4;
    private const int MaxTile = 8 * 2 * 16;

    private readonly Product _product;
    private readonly BlockPlan _plan;
    private readonly int _rowBlocks;
    private T* _packed;
    private int _column;
    private int _columns;
    private int _k;
    private int _depth;

    public BlockedPass(in Product product)
    {
        _product = product;
        _plan = new BlockPlan(product, sizeof(T), TKernel.Rows, TKernel.Columns);
        _rowBlocks = BlockPlan.Ceiling(product.Rows, _plan.RowBlock);
    }

    /// <summary>Scratch of one worker for its packed panels of a.</summary>
    public readonly long PanelBytes => Aligned((long)(_plan.RowBlock + TKernel.Rows) * _plan.DepthBlock);

    /// <summary>Memory for packed b, shared by all workers.</summary>
    public readonly long PackedBytes => Aligned((long)(_plan.PacksB ? _plan.ColumnSpan : TKernel.Columns) * _plan.DepthSpan);

    public readonly long PackItems => (long)BlockPlan.Ceiling(_depth, _plan.DepthBlock) * PackGroups;

    public readonly long TileItems => (long)_rowBlocks * BlockPlan.Ceiling(Strips, _plan.ChunkStrips);

    /// <summary>The first strip that is packed, the number of all where none is.</summary>
    private readonly int FirstPacked => _plan.PacksB ? 0 : _columns / TKernel.Columns;

    private readonly int PackGroups => (Strips - FirstPacked + PackStrips - 1) / PackStrips;

    private readonly int Strips => BlockPlan.Ceiling(_columns, TKernel.Columns);

    /// <summary>Goes to the first span.</summary>
    public void Start(byte* packed)
    {
        _packed = (T*)packed;
        _column = 0;
        _k = 0;
        Fit();
    }

    /// <summary>Goes to the next span; false after the last.</summary>
    public bool Next()
    {
        _k += _depth;
        if (_k == _product.Depth)
        {
            _k = 0;
            _column += _columns;
        }

        if (_column == _product.Columns)
        {
            return false;
        }

        Fit();
        return true;
    }

    public readonly void Pack(long item)
    {
        int groups = PackGroups;
        int k = (int)(item / groups) * _plan.DepthBlock;
        int depth = Math.Min(_plan.DepthBlock, _depth - k);
        int first = FirstPacked + (int)(item % groups) * PackStrips;
        int end = Math.Min(first + PackStrips, Strips);
        int whole = Math.Min(end, _columns / TKernel.Columns);
        byte* source = _product.B + (_k + k) * _product.BStep + (nint)(_column + first * TKernel.Columns) * _product.BColumn;
        if (whole > first)
        {
            Packing.PackMany(source, _product.BColumn, _product.BStep, whole - first, TKernel.Columns, depth, Strip(k, depth, first));
        }

        if (whole < end)
        {
            source += (nint)(whole - first) * TKernel.Columns * _product.BColumn;
            Packing.Pack(source, _product.BColumn, _product.BStep, _columns % TKernel.Columns, TKernel.Columns, depth, Strip(k, depth, whole));
        }
    }

    public readonly void Multiply(long item, byte* scratch)
    {
        int row = (int)(item % _rowBlocks) * _plan.RowBlock;
        int rows = Math.Min(_plan.RowBlock, _product.Rows - row);
        int firstStrip = (int)(item / _rowBlocks) * _plan.ChunkStrips;
        int endStrip = Math.Min(firstStrip + _plan.ChunkStrips, Strips);
        for (int k = 0; k < _depth; k += _plan.DepthBlock)
        {
            int depth = Math.Min(_plan.DepthBlock, _depth - k);
            PackPanels(row, rows, k, depth, (T*)scratch);
            for (int strip = firstStrip; strip < endStrip; strip++)
            {
                MultiplyStrip(row, rows, k, depth, strip, (T*)scratch);
            }
        }
    }

    private readonly void MultiplyStrip(int row, int rows, int k, int depth, int strip, T* panels)
    {
        bool packed = strip >= FirstPacked;
        byte* b = packed ? (byte*)Strip(k, depth, strip) : _product.B + (_k + k) * _product.BStep + (nint)(_column + strip * TKernel.Columns) * _product.BColumn;
        nint bStep = packed ? TKernel.Columns * sizeof(T) : _product.BStep;
        int left = Math.Min(TKernel.Columns, _columns - strip * TKernel.Columns);
        int column = _column + strip * TKernel.Columns;
        bool narrow = left <= TKernel.Columns / 2;
        bool first = _k + k == 0;
        bool inPlace = (left == TKernel.Columns || left == TKernel.Columns / 2) && _product.YColumn == sizeof(T) && !(first && HasOddAddend);
        int done = 0;
        if (inPlace)
        {
            int whole = WholePanels(rows);
            byte* y = At(row, column);
            bool accumulate = !first || _product.Accumulate;
            if (first && _product.HasAddend)
            {
                Prefill(y, row, column, whole * TKernel.Rows, left);
                accumulate = true;
            }

            Run(TKernel.Rows, TKernel.Rows, whole, row, narrow, k, depth, panels, b, bStep, y, _product.YRow, accumulate);
            done = whole * TKernel.Rows;
        }

        T* tile = stackalloc T[MaxTile];
        while (done < rows)
        {
            int height = TKernel.PanelRows(rows - done);
            int used = Math.Min(height, rows - done);
            Run(height, used, 1, row + done, narrow, k, depth, panels + (nint)done * depth, b, bStep, (byte*)tile, TKernel.Columns * sizeof(T), false);
            Merge(tile, row + done, column, used, left, first);
            done += used;
        }
    }

    private readonly void Run(
        int height, int used, int panels, int row, bool narrow, int k, int depth, T* panel, byte* b, nint bStep, byte* y, nint yRow, bool accumulate)
    {
        if (IsDirect(height, used))
        {
            byte* a = _product.A + row * _product.ARow + (_k + k) * _product.AStep;
            TKernel.Run<DirectPanel>(height, narrow, panels, depth, a, _product.ARow, b, bStep, y, yRow, _product.Alpha, accumulate);
        }
        else
        {
            TKernel.Run<PackedPanel>(height, narrow, panels, depth, (byte*)panel, 0, b, bStep, y, yRow, _product.Alpha, accumulate);
        }
    }

    private readonly byte* At(int row, int column) => _product.Y + row * _product.YRow + column * _product.YColumn;

    /// <summary>Panels of full height at the beginning of a block.</summary>
    private static int WholePanels(int rows)
    {
        int whole = rows / TKernel.Rows;
        while (whole > 0 && TKernel.PanelRows(rows - (whole - 1) * TKernel.Rows) != TKernel.Rows)
        {
            whole--;
        }

        return whole;
    }

    /// <summary>A whole panel whose k are adjacent is read where it lies; others are packed, zeros below the last row.</summary>
    private readonly bool IsDirect(int height, int used) => _product.AStep == sizeof(T) && used == height;

    private readonly void PackPanels(int row, int rows, int k, int depth, T* panels)
    {
        byte* source = _product.A + row * _product.ARow + (_k + k) * _product.AStep;
        int done = 0;
        if (!IsDirect(TKernel.Rows, TKernel.Rows))
        {
            int whole = WholePanels(rows);
            done = whole * TKernel.Rows;
            Packing.PackMany(source, _product.ARow, _product.AStep, whole, TKernel.Rows, depth, panels);
        }

        for (; done < rows;)
        {
            int height = TKernel.PanelRows(rows - done);
            int used = Math.Min(height, rows - done);
            if (!IsDirect(height, used))
            {
                Packing.Pack(source + done * _product.ARow, _product.ARow, _product.AStep, used, height, depth, panels + (long)done * depth);
            }

            done += used;
        }
    }

    private readonly bool HasOddAddend =>
        (_product.Bias.Pointer is not null && _product.Bias.Column != sizeof(T))
        || (_product.Residual.Pointer is not null && _product.Residual.Column != sizeof(T));

    /// <summary>y = (y) + bias + residual, before the product is added to it while it is in the first-level cache.</summary>
    private readonly void Prefill(byte* y, int row, int column, int rows, int columns)
    {
        byte* bias = _product.Bias.Pointer is null ? null : _product.Bias.At(row, column);
        byte* residual = _product.Residual.Pointer is null ? null : _product.Residual.At(row, column);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j += V.Width)
            {
                V value = _product.Accumulate ? V.Load(y, j) : V.Constant(0);
                value = bias is null ? value : value + V.Load(bias, j);
                value = residual is null ? value : value + V.Load(residual, j);
                V.Store(y, j, value);
            }

            y += _product.YRow;
            bias += _product.Bias.Row;
            residual += _product.Residual.Row;
        }
    }

    private readonly void Merge(T* tile, int row, int column, int rows, int columns, bool first)
    {
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                Merging.Write(_product, (T*)At(row + i, column + j), tile[i * TKernel.Columns + j], row + i, column + j, first);
            }
        }
    }

    private readonly T* Strip(int k, int depth, int strip) => 
        _packed + ((long)k * (Strips - FirstPacked) + (long)(strip - FirstPacked) * depth) * TKernel.Columns;

    private void Fit()
    {
        _columns = Math.Min(_plan.ColumnSpan, _product.Columns - _column);
        _depth = Math.Min(_plan.DepthSpan, _product.Depth - _k);
    }

    private static long Aligned(long elements) => (elements * sizeof(T) + 63) & ~63L;
}
