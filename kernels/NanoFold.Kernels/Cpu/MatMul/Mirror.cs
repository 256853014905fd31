using System.Numerics;
using System.Runtime.Intrinsics.X86;

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
        bool turns = typeof(T) == typeof(float) && Avx.IsSupported && _column == sizeof(T) && _row % sizeof(T) == 0 && end == first + Block;
        for (int start = first; start < _rows; start += Block)
        {
            if (turns && start > first && start + Block <= _rows)
            {
                Turn(first, start);
                continue;
            }

            for (int i = first; i < end; i++)
            {
                for (int j = Math.Max(start, i + 1); j < Math.Min(start + Block, _rows); j++)
                {
                    *(T*)Place(i, j) = *(T*)Place(j, i);
                }
            }
        }
    }

    // A whole block, in registers.
    private void Turn(int row, int column)
    {
        for (int done = 0; done < Block; done += Transposition.Lines)
        {
            Transposition.Eights(Place(column + done, row), _row, (int)(_row / sizeof(float)), Block, (float*)Place(row, column + done));
        }
    }

    private byte* Place(int row, int column) => _y + row * _row + column * _column;
}
