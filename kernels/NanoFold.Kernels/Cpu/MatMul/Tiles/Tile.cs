using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>
/// The sums of a register-blocked micro-kernel: a few rows by one or two vectors of y, held in registers while k runs. What a tile has to say itself is unrolled
/// by hand, for the compiler keeps no array in registers; all else is <see cref="Tile"/>.
/// </summary>
internal unsafe interface ITile<V>
    where V : struct
{
    static abstract int Rows { get; }

    /// <summary>Vectors of columns.</summary>
    static abstract int Vectors { get; }

    /// <summary>One k: adds the product of a column of a and a row of b.</summary>
    /// <param name="x">The column's first row; rows are <paramref name="row"/> apart.</param>
    /// <param name="low">Its row 3: rows 3 and on are reached from a second pointer, so that every load is base + 0, 1 or 2 strides.</param>
    /// <param name="last">Its row 6, where there is one.</param>
    void Step(byte* x, byte* low, byte* last, nint row, byte* b);

    /// <summary>y = alpha · sums (+ y).</summary>
    void Write(byte* y, nint yRow, V scale, bool accumulate);
}

/// <summary>How a tile goes down panels of a, k in four steps per turn of the loop. Lean loops matter: a core's other thread competes for the front end.</summary>
internal static unsafe class Tile
{
    /// <summary>As below with the tile of <paramref name="rows"/> rows: one of 4 rows, or of the two given the wide one or, where one vector of columns is enough, the narrow.</summary>
    public static void Run<TWide, TNarrow, O, V, P>(
        int rows, bool narrow, int panels, nint depth, byte* a, nint aStride, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where TWide : struct, ITile<V>
        where TNarrow : struct, ITile<V>
        where O : struct, IVectorOps<V>
        where V : struct
        where P : struct, IPanel
    {
        switch (rows > 4, narrow)
        {
            case (true, false):
                Run<TWide, O, V, P>(panels, depth, a, aStride, b, bStep, y, yRow, alpha, accumulate);
                break;
            case (true, true):
                Run<TNarrow, O, V, P>(panels, depth, a, aStride, b, bStep, y, yRow, alpha, accumulate);
                break;
            case (false, false):
                Run<Tile4x2<O, V>, O, V, P>(panels, depth, a, aStride, b, bStep, y, yRow, alpha, accumulate);
                break;
            default:
                Run<Tile4x1<O, V>, O, V, P>(panels, depth, a, aStride, b, bStep, y, yRow, alpha, accumulate);
                break;
        }
    }

    /// <summary>y = alpha · a · b (+ y). Strides in bytes; the columns of b and of y are adjacent.</summary>
    /// <param name="panels">Panels of a, one below the other, that meet the same b.</param>
    /// <param name="depth">Length of k.</param>
    /// <param name="aStride">Of a where it is not packed, see <see cref="IPanel"/>.</param>
    /// <param name="bStep">From one k of b to the next.</param>
    public static void Run<TTile, O, V, P>(int panels, nint depth, byte* a, nint aStride, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where TTile : struct, ITile<V>
        where O : struct, IVectorOps<V>
        where V : struct
        where P : struct, IPanel
    {
        nint row = P.HasAdjacentRows ? O.ElementBytes : aStride;
        nint step = P.IsPacked ? TTile.Rows * O.ElementBytes : P.HasAdjacentRows ? aStride : O.ElementBytes;
        nint panel = P.IsPacked ? depth * TTile.Rows * O.ElementBytes : TTile.Rows * row;
        V scale = O.Constant(alpha);
        for (; panels > 0; panels--)
        {
            byte* x = a, low = a + 3 * row, last = a, z = b;
            if (TTile.Rows > 6)
            {
                last = a + 6 * row;
            }

            var tile = default(TTile);
            Prefetch.Rows(y, yRow, TTile.Rows, TTile.Vectors * O.Bytes);
            nint left = depth;
            for (; left >= 4; left -= 4)
            {
                tile.Step(x, low, last, row, z);
                tile.Step(x + step, low + step, last + step, row, z + bStep);
                tile.Step(x + 2 * step, low + 2 * step, last + 2 * step, row, z + 2 * bStep);
                tile.Step(x + 3 * step, low + 3 * step, last + 3 * step, row, z + 3 * bStep);
                x += 4 * step;
                low += 4 * step;
                z += 4 * bStep;
                if (TTile.Rows > 6)
                {
                    last += 4 * step;
                }
            }

            for (; left > 0; left--)
            {
                tile.Step(x, low, last, row, z);
                x += step;
                low += step;
                z += bStep;
                if (TTile.Rows > 6)
                {
                    last += step;
                }
            }

            tile.Write(y, yRow, scale, accumulate);
            y += TTile.Rows * yRow;
            a += panel;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<O, V>(byte* y, V sum, V scale, bool accumulate)
        where O : struct, IVectorOps<V>
        where V : struct
        => O.Store(y, accumulate ? O.MultiplyAdd(sum, scale, O.Load(y)) : O.Multiply(sum, scale));
}

/// <summary>How a tile finds a: constants of the compiled code.</summary>
internal interface IPanel
{
    /// <summary>Whether one panel follows the other, and in it one k the other, without a gap.</summary>
    static abstract bool IsPacked { get; }

    /// <summary>Whether the rows of each k are adjacent, the stride being that from one k to the next; else the k of each row are, and it is that from one row to the next.</summary>
    static abstract bool HasAdjacentRows { get; }
}

/// <summary>a in panels, as <see cref="Packing"/> leaves it.</summary>
internal readonly struct PackedPanel : IPanel
{
    public static bool IsPacked => true;

    public static bool HasAdjacentRows => true;
}

/// <summary>a read where it lies, along its rows.</summary>
internal readonly struct DirectPanel : IPanel
{
    public static bool IsPacked => false;

    public static bool HasAdjacentRows => false;
}

/// <summary>a read where it lies, a transposed one: along its columns.</summary>
internal readonly struct ColumnPanel : IPanel
{
    public static bool IsPacked => false;

    public static bool HasAdjacentRows => true;
}
