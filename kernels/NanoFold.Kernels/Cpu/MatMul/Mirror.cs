using System.Numerics;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>y[i, j] = y[j, i] above the diagonal, in square blocks so that both sides stay in the first-level cache.</summary>
internal readonly unsafe struct Mirror<T>(in Product product)
    where T : unmanaged, INumberBase<T>
{
    private const int Block = 16;

    private readonly byte* _y = product.Y;
    private readonly nint _row = product.YRow;
    private readonly nint _column = product.YColumn;
    private readonly int _rows = product.Rows;

    /// <summary>An item is a row of blocks.</summary>
    public long Items => BlockPlan.Ceiling(_rows, Block);

    public void Fill(long item)
    {
        int first = (int)item * Block, end = Math.Min(first + Block, _rows);
        for (int start = first; start < _rows; start += Block)
        {
            for (int i = first; i < end; i++)
            {
                for (int j = Math.Max(start, i + 1); j < Math.Min(start + Block, _rows); j++)
                {
                    *(T*)(_y + i * _row + j * _column) = *(T*)(_y + j * _row + i * _column);
                }
            }
        }
    }
}
