using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Pointwise;

/// <summary>Copies whose source runs along another dimension than its target: in square tiles, so that both sides stay in the first cache.</summary>
internal static unsafe class Transpose
{
    /// <summary>Rows and columns of a tile: 4 KB on each side.</summary>
    private const int Tile = 32;

    /// <summary>The dimension along which the source's neighbors lie, or −1 where tiles would not help.</summary>
    public static int Axis(in Nest nest)
    {
        for (int i = 0; i < nest.Rank - 1; i++)
        {
            if (nest.Stride(1, i) == 1 && nest.InnerStride(1) > 1 && nest.Shape(i) >= 4 && nest.Inner >= 4)
            {
                return i;
            }
        }

        return -1;
    }

    /// <param name="nest">Operand 0 is y, with inner stride 1 or more; operand 1 is x.</param>
    public static void Run(CpuContext context, in Nest nest, int axis, in View x, in View y)
    {
        var work = new Work { X = x.Address, Y = y.Address, Columns = nest.Inner, ColumnX = nest.InnerStride(1), ColumnY = nest.InnerStride(0), Rows = nest.Shape(axis), RowY = nest.Stride(0, axis), Outer = Nest.Empty(2) };
        for (int i = 0; i < nest.Rank - 1; i++)
        {
            if (i != axis)
            {
                work.Outer.AddDimension(nest.Shape(i), nest.Stride(0, i), nest.Stride(1, i));
            }
        }

        work.Collapse();
        context.Run(y.Type, work.Outer.Count * work.RowTiles * work.ColumnTiles, ref work, y.Count >= Map.SmallElements);
    }

    private struct Work : ILaneWork
    {
        public void* X;
        public void* Y;
        public Nest Outer;
        public long Columns;
        public long ColumnX;
        public long ColumnY;
        public long Rows;
        public long RowY;
        public long RowTiles;
        public long ColumnTiles;

        public void Collapse()
        {
            Outer.Collapse();
            RowTiles = (Rows + Tile - 1) / Tile;
            ColumnTiles = (Columns + Tile - 1) / Tile;
        }

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            (long rest, long columnTile) = Math.DivRem(item, ColumnTiles);
            (long outer, long rowTile) = Math.DivRem(rest, RowTiles);
            long row = rowTile * Tile, column = columnTile * Tile;
            int rows = (int)Math.Min(Tile, Rows - row), columns = (int)Math.Min(Tile, Columns - column);
            long x = Outer.ElementOffset(1, outer) + row + column * ColumnX;
            long y = Outer.ElementOffset(0, outer) + row * RowY + column * ColumnY;
            if (V.Type == DType.Float64)
            {
                Move((double*)X + x, (double*)Y + y, rows, columns);
            }
            else
            {
                Move((float*)X + x, (float*)Y + y, rows, columns);
            }
        }

        private readonly void Move<T>(T* x, T* y, int rows, int columns)
            where T : unmanaged
        {
            int column = 0;
            for (; column + 4 <= columns; column += 4)
            {
                T* x0 = x + column * ColumnX, x1 = x0 + ColumnX, x2 = x1 + ColumnX, x3 = x2 + ColumnX, target = y + column * ColumnY;
                for (int row = 0; row < rows; row++, target += RowY)
                {
                    target[0] = x0[row];
                    target[ColumnY] = x1[row];
                    target[2 * ColumnY] = x2[row];
                    target[3 * ColumnY] = x3[row];
                }
            }

            for (; column < columns; column++)
            {
                T* source = x + column * ColumnX, target = y + column * ColumnY;
                for (int row = 0; row < rows; row++, target += RowY)
                {
                    *target = source[row];
                }
            }
        }
    }
}
