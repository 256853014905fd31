using System.Numerics;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Cpu.Stored;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// One span of columns and depth of a product: its b is packed first, then blocks of rows run over it. Both steps are cut into
/// items by shape; every element of y is summed by one item, over k in ascending order.
/// </summary>
internal unsafe struct BlockedPass<TKernel, TOperands, O, V, T>
    where TKernel : struct, IMicroKernel
    where TOperands : struct, IOperands<T>
    where O : struct, IVectorOps<V>
    where V : struct
    where T : unmanaged, INumberBase<T>
{
    private const int PackStrips = 4;

    private readonly Product _product;
    private readonly BlockPlan _plan;
    private readonly int _rowBlocks;
    private readonly int _steps;
    private T* _packed;
    private int _column;
    private int _columns;
    private int _k;
    private int _depth;

    /// <param name="product">The product.</param>
    /// <param name="isAlone">Whether one thread computes all of it.</param>
    public BlockedPass(in Product product, bool isAlone = false)
    {
        _product = product;
        _steps = Steps<TOperands, T>.Of(product.Depth);
        _plan = new BlockPlan(product, _steps, TOperands.StepUnit, TOperands.ReadsInPlace, TOperands.RowUnit, sizeof(T), TKernel.Rows, TKernel.Columns, isAlone);
        _rowBlocks = BlockPlan.Ceiling(product.Rows, _plan.RowBlock);
    }

    /// <summary>Scratch of one worker, for packed panels of a and a strip of y.</summary>
    public readonly long ScratchBytes => PanelBytes + Aligned(RoomRows * TKernel.Columns);

    /// <summary>Memory for packed b, shared by all workers.</summary>
    public readonly long PackedBytes => Aligned((long)(_plan.PacksB ? _plan.ColumnSpan : TKernel.Columns) * _plan.DepthSpan);

    public readonly long PackItems => (long)BlockPlan.Ceiling(_depth, _plan.DepthBlock) * PackGroups;

    public readonly long TileItems => (long)_rowBlocks * BlockPlan.Ceiling(Strips, _plan.ChunkStrips);

    /// <summary>Rows of a block, the last panel filled up.</summary>
    private readonly long RoomRows => _plan.RowBlock + TKernel.Rows;

    private readonly long PanelBytes => Aligned(RoomRows * _plan.DepthBlock);

    private readonly int Strips => BlockPlan.Ceiling(_columns, TKernel.Columns);

    /// <summary>The first strip that is packed: 0, or where b is read in place one that is not whole.</summary>
    private readonly int FirstPacked => _plan.PacksB ? 0 : _columns / TKernel.Columns;

    private readonly int PackGroups => (Strips - FirstPacked + PackStrips - 1) / PackStrips;

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
        if (_k == _steps)
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

    /// <summary>Packs some strips of one block of depth.</summary>
    public readonly void Pack(long item)
    {
        int groups = PackGroups;
        int k = (int)(item / groups) * _plan.DepthBlock;
        int depth = Math.Min(_plan.DepthBlock, _depth - k);
        int first = FirstPacked + (int)(item % groups) * PackStrips;
        int end = Math.Min(first + PackStrips, Strips);
        if (_product.IsStored)
        {
            PackStored(k, depth, first, end);
            return;
        }

        int columns = Math.Min(end * TKernel.Columns, _columns) - first * TKernel.Columns;
        TOperands.PackStrips(new Lines(InPlace(k, first), _product.BColumn, _product.BStep, columns, Elements(k, depth)), TKernel.Columns, Packed(k, depth, first));
    }

    /// <summary>Computes one block of rows over some strips, with <see cref="ScratchBytes"/> of scratch.</summary>
    public readonly void Multiply(long item, byte* scratch)
    {
        int row = (int)(item % _rowBlocks) * _plan.RowBlock;
        int rows = Math.Min(_plan.RowBlock, _product.Rows - row);
        int firstStrip = (int)(item / _rowBlocks) * _plan.ChunkStrips;
        int endStrip = Math.Min(firstStrip + _plan.ChunkStrips, Strips);
        if (_product.IsSymmetric)
        {
            // Strips that begin to the right of the block's last row lie above the diagonal.
            endStrip = Math.Min(endStrip, BlockPlan.Ceiling(Math.Max(1, row + rows - _column), TKernel.Columns));
            if (row + rows <= _column)
            {
                return;
            }
        }

        int firstPacked = FirstPacked;
        for (int k = 0; k < _depth; k += _plan.DepthBlock)
        {
            int depth = Math.Min(_plan.DepthBlock, _depth - k);
            var block = new RowBlock<TKernel, TOperands, O, V, T>(_product, row, rows, _k + k, depth, _plan.PacksA, (T*)scratch, (T*)(scratch + PanelBytes));
            block.Pack();
            for (int strip = firstStrip; strip < endStrip; strip++)
            {
                int column = strip * TKernel.Columns, columns = Math.Min(TKernel.Columns, _columns - column);
                if (strip < firstPacked)
                {
                    block.Multiply(_column + column, columns, InPlace(k, strip), _product.BStep);
                }
                else
                {
                    block.Multiply(_column + column, columns, (byte*)Packed(k, depth, strip), TKernel.Columns * sizeof(T));
                }
            }
        }
    }

    // In single precision first, a strip at a time: it fits the first-level cache, as the packed one does.
    private readonly void PackStored(int k, int depth, int first, int end)
    {
        int elements = Elements(k, depth), start = (_k + k) * TOperands.StepDepth;
        float* wide = stackalloc float[TKernel.Columns * elements];
        for (int strip = first; strip < end; strip++)
        {
            int column = strip * TKernel.Columns, columns = Math.Min(TKernel.Columns, _columns - column);
            byte* b = _product.B + (nint)(_column + column) * _product.BColumn;
            for (int line = 0; line < columns; line++)
            {
                StoredRows.Widen(_product.Stored, b + line * _product.BColumn, start, elements, wide + line * elements);
            }

            TOperands.PackStrips(new Lines((byte*)wide, (nint)elements * sizeof(float), sizeof(float), columns, elements), TKernel.Columns, Packed(k, depth, strip));
        }
    }

    // k of the operands that so many steps take, without what fills them up.
    private readonly int Elements(int k, int depth) => Math.Min(depth * TOperands.StepDepth, _product.Depth - (_k + k) * TOperands.StepDepth);

    private readonly byte* InPlace(int k, int strip) => _product.B + (_k + k) * TOperands.StepDepth * _product.BStep + (nint)(_column + strip * TKernel.Columns) * _product.BColumn;

    private readonly T* Packed(int k, int depth, int strip) => _packed + ((nint)k * (Strips - FirstPacked) + (nint)(strip - FirstPacked) * depth) * TKernel.Columns;

    private void Fit()
    {
        _columns = Math.Min(_plan.ColumnSpan, _product.Columns - _column);
        _depth = Math.Min(_plan.DepthSpan, _steps - _k);
    }

    private static long Aligned(long elements) => (elements * sizeof(T) + 63) & ~63L;
}
