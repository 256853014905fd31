using System.Numerics;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// Four to six rows of a times a large b, whose columns are adjacent: sums of a chunk of columns grow in the first-level cache, a few k at a
/// time and in register tiles, while the next k of b are on their way from memory. With more rows, or a b that is in a cache, packing pays.
/// </summary>
internal readonly unsafe ref struct FewRows<O, V, T>
    where O : struct, IVectorOps<V>
    where V : struct
    where T : unmanaged, INumberBase<T>
{
    /// <summary>Columns of a chunk.</summary>
    public const int ChunkColumns = 256;

    private const int LeastRows = 4, MostRows = 6;
    private const long LargeBytes = 1 << 21;
    private const int TileRows = 4, Tiles = 2;
    private const int DepthBlock = 16;

    private readonly ref readonly Product _product;
    private readonly int _column;
    private readonly int _columns;
    private readonly T* _sums;

    /// <param name="sums">Room for <see cref="ScratchElements"/>.</param>
    public FewRows(in Product product, int column, int columns, T* sums)
    {
        _product = ref product;
        _column = column;
        _columns = columns;
        _sums = sums;
    }

    public static int ScratchElements => Tiles * TileRows * SumRow;

    /// <summary>Columns of a tile.</summary>
    private static int Strip => 2 * O.Bytes / O.ElementBytes;

    private static int SumRow => ChunkColumns + Strip;

    /// <summary>Columns that whole tiles cover; one more covers the last <see cref="Strip"/> columns where some are left.</summary>
    private int Whole => _columns / Strip * Strip;

    public static bool Fits(in Product product) =>
        !product.IsStored && product.Rows is >= LeastRows and <= MostRows && product.Columns >= Strip && (long)product.Columns * product.Depth * sizeof(T) >= LargeBytes
        && product.BColumn == sizeof(T) && product.AStep == sizeof(T);

    public void Multiply()
    {
        new Span<T>(_sums, ScratchElements).Clear();
        for (int k = 0; k < _product.Depth; k += DepthBlock)
        {
            int depth = Math.Min(DepthBlock, _product.Depth - k);
            int ahead = Math.Clamp(_product.Depth - k - DepthBlock, 0, DepthBlock);
            for (int j = 0; j < _columns; j += Strip)
            {
                byte* b = _product.B + k * _product.BStep + (_column + (j < Whole ? j : _columns - Strip)) * _product.BColumn;
                Prefetch.Rows(b + DepthBlock * _product.BStep, _product.BStep, ahead, 2 * O.Bytes);
                for (int first = 0; first < _product.Rows; first += TileRows)
                {
                    byte* a = _product.A + Math.Min(first, _product.Rows - TileRows) * _product.ARow + k * _product.AStep;
                    Tile.Run<Tile4x2<O, V>, O, V, DirectPanel>(
                        1, depth, a, _product.ARow, b, _product.BStep, (byte*)(_sums + first * SumRow + j), SumRow * sizeof(T), 1, true);
                }
            }
        }

        T alpha = T.CreateTruncating(_product.Alpha);
        for (int row = 0; row < _product.Rows; row++)
        {
            // The second tile holds the last four rows.
            T* sums = _sums + (row < TileRows ? row : row + Tiles * TileRows - _product.Rows) * SumRow;
            for (int j = 0; j < _columns; j++)
            {
                T* y = (T*)(_product.Y + row * _product.YRow + (_column + j) * _product.YColumn);
                Merging.Write(_product, y, alpha * sums[j < Whole ? j : j + Whole + Strip - _columns], row, _column + j);
            }
        }
    }
}
