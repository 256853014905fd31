using System.Numerics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>y[i, j] = y[j, i] above the diagonal, in square blocks so that both sides stay in the first-level cache.</summary>
internal readonly unsafe struct Mirror<T>(in Product product)
    where T : unmanaged, INumberBase<T>
{
    private const int Block = 16, Lines = 8;

    private readonly byte* _y = product.Y;
    private readonly nint _row = product.YRow;
    private readonly nint _column = product.YColumn;
    private readonly int _rows = product.Rows;

    /// <summary>An item is a row of blocks.</summary>
    public long Items => BlockPlan.Ceiling(_rows, Block);

    public void Fill(long item)
    {
        int first = (int)item * Block, end = Math.Min(first + Block, _rows);
        Copy(first, end, first, end);
        int start = end;
        if (Avx.IsSupported && typeof(T) == typeof(float) && _column == sizeof(float) && _row % sizeof(float) == 0)
        {
            for (; start + Lines <= _rows; start += Lines)
            {
                Transposition.Eights(_y + start * _row + first * _column, _row, (int)(_row / sizeof(float)), end - first, (float*)(_y + first * _row + start * _column));
            }
        }

        for (; start < _rows; start += Block)
        {
            Copy(first, end, start, Math.Min(start + Block, _rows));
        }
    }

    private void Copy(int firstRow, int endRow, int firstColumn, int endColumn)
    {
        for (int i = firstRow; i < endRow; i++)
        {
            for (int j = Math.Max(firstColumn, i + 1); j < endColumn; j++)
            {
                *(T*)(_y + i * _row + j * _column) = *(T*)(_y + j * _row + i * _column);
            }
        }
    }
}
