using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// table[ids[i], :] += x[i, :] in one launch, for few ids: a group has an id, looks through all of them for it, and adds up its rows of x, a run of lanes
/// each in turn. The grid is ids, blocks of columns; ids are those of the table, or those of x's rows, where the first of equal ones does the work.
/// </summary>
internal struct ScatterListWork<T, TTable, TPiece> : IGpuWork<ScatterListWork<T, TTable, TPiece>>
    where T : unmanaged, IElement<T>
    where TTable : unmanaged, IElement<TTable>
    where TPiece : struct, IPiece
{
    /// <summary>Pieces that a group has of each row at most: the fewer, the more rows at a time.</summary>
    public const int MostLanes = 16;

    public ArrayView<T> X;
    public ArrayView<TTable> Table;
    public ArrayView<int> Ids;

    /// <summary>Rows of x.</summary>
    public Shape Rows;
    public long TableRow;
    public int TableRows, Width, LaneBits;

    /// <summary>Not 0 where there is a group for each row of the table.</summary>
    public int IsByTable;

    public static void Run(ScatterListWork<T, TTable, TPiece> w)
    {
        ArrayView<Quad> quads = SharedMemory.Allocate<Quad>(GroupReduce.Most);
        IdList list;
        list.Places = SharedMemory.Allocate<ushort>(IdList.PerThread * GroupReduce.Most);
        list.Counts = SharedMemory.Allocate<int>(GroupReduce.Most);
        list.Sums = SharedMemory.Allocate<int>(GroupReduce.Most);
        int count = w.Rows.Count, start = 0, id = Grid.IdxX, own = Grid.IdxX;
        if (w.IsByTable == 0)
        {
            id = w.Ids[own];
            if (id < 0 || id >= w.TableRows || !IdList.IsFirst(list, w.Ids, own))
            {
                return;
            }

            start = own;
        }

        int lanes = 1 << w.LaneBits, piece = Grid.IdxY * lanes + (Group.IdxX & (lanes - 1)), rows = 0;
        Quad sum = default;
        for (; start < count; start += IdList.Window)
        {
            int length = IdList.Find(list, w.Ids, count, start, id);
            sum += Sum(w, list.Places, start, length, piece);
            rows += length;
        }

        if (rows > 0)
        {
            Add(w, quads, id * w.TableRow, piece, sum);
        }
    }

    /// <summary>Of the listed rows, those of the thread's run.</summary>
    private static Quad Sum(in ScatterListWork<T, TTable, TPiece> w, ArrayView<ushort> places, int start, int length, int piece)
    {
        int runs = Group.DimX >> w.LaneBits, last = length - 1;
        Quad sum = default;
        for (int a = Group.IdxX >> w.LaneBits; a < length; a += 4 * runs)
        {
            int b = a + runs, c = b + runs, d = c + runs;
            int rowA = start + places[a], rowB = start + places[IntrinsicMath.Min(b, last)];
            int rowC = start + places[IntrinsicMath.Min(c, last)], rowD = start + places[IntrinsicMath.Min(d, last)];
            Quad xA = Load(w, rowA, piece, true), xB = Load(w, rowB, piece, b < length), xC = Load(w, rowC, piece, c < length), xD = Load(w, rowD, piece, d < length);
            sum += xA + xB + (xC + xD);
        }

        return sum;
    }

    private static Quad Load(in ScatterListWork<T, TTable, TPiece> w, int row, int piece, bool isThere)
        => TPiece.Load(w.X, Shape.At(w.Rows, w.Rows.Y, row), piece, isThere ? w.Width : 0);

    private static void Add(in ScatterListWork<T, TTable, TPiece> w, ArrayView<Quad> shared, long row, int piece, Quad sum)
    {
        int lanes = 1 << w.LaneBits;
        shared[Group.IdxX] = sum;
        Group.Barrier();
        if (Group.IdxX < lanes)
        {
            for (int i = Group.IdxX + lanes; i < Group.DimX; i += lanes)
            {
                sum += shared[i];
            }

            TPiece.Store(w.Table, row, piece, w.Width, TPiece.Load(w.Table, row, piece, w.Width) + sum);
        }
    }
}
