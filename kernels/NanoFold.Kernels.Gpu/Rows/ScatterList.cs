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
    public Nest Rows;
    public long TableRow;
    public int TableRows, Width, LaneBits;

    /// <summary>Not 0 where there is a group for each row of the table.</summary>
    public int IsByTable;

    public static void Run(ScatterListWork<T, TTable, TPiece> w)
    {
        ArrayView<Float4> quads = SharedMemory.Allocate<Float4>(GroupReduce.Most);
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
        Float4 sum = default;
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
    private static Float4 Sum(in ScatterListWork<T, TTable, TPiece> w, ArrayView<ushort> places, int start, int length, int piece)
    {
        int runs = Group.DimX >> w.LaneBits, last = length - 1;
        Float4 sum = default;
        for (int a = Group.IdxX >> w.LaneBits; a < length; a += 4 * runs)
        {
            int b = a + runs, c = b + runs, d = c + runs;
            int rowA = start + places[a], rowB = start + places[IntrinsicMath.Min(b, last)];
            int rowC = start + places[IntrinsicMath.Min(c, last)], rowD = start + places[IntrinsicMath.Min(d, last)];
            Float4 xA = Load(w, rowA, piece, true), xB = Load(w, rowB, piece, b < length), xC = Load(w, rowC, piece, c < length), xD = Load(w, rowD, piece, d < length);
            sum += xA + xB + (xC + xD);
        }

        return sum;
    }

    private static Float4 Load(in ScatterListWork<T, TTable, TPiece> w, int row, int piece, bool isThere)
        => TPiece.Load(w.X, Nest.At(w.Rows, w.Rows.Y, row), piece, isThere ? w.Width : 0);

    private static void Add(in ScatterListWork<T, TTable, TPiece> w, ArrayView<Float4> shared, long row, int piece, Float4 sum)
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

/// <summary>Where an id occurs in a window of ids: a list in shared memory, in an order that depends on the places only. All threads of a group call.</summary>
internal struct IdList
{
    /// <summary>Ids of a thread in a window.</summary>
    public const int PerThread = 16;

    /// <summary>Threads whose numbers are added up by one.</summary>
    private const int Block = 16;

    /// <summary>Places in the window: of each thread's ids in turn, those it is at every group's width.</summary>
    public ArrayView<ushort> Places;

    /// <summary>How often each thread found the id, and the sums of these over blocks of threads.</summary>
    public ArrayView<int> Counts, Sums;

    public static int Window => PerThread * Group.DimX;

    /// <summary>Makes the list of the window from <paramref name="start"/> on.</summary>
    /// <returns>How long it is.</returns>
    public static int Find(IdList list, ArrayView<int> ids, int count, int start, int id)
    {
        int thread = Group.IdxX, threads = Group.DimX, found = 0, own = 0, last = count - 1;
        for (int k = 0; k < PerThread && start + k * threads < count; k += 4)
        {
            // All loads first, so that they are under way together.
            int a = start + k * threads + thread, b = a + threads, c = b + threads, d = c + threads;
            int idA = ids[IntrinsicMath.Min(a, last)], idB = ids[IntrinsicMath.Min(b, last)];
            int idC = ids[IntrinsicMath.Min(c, last)], idD = ids[IntrinsicMath.Min(d, last)];
            int bits = (idA == id && a < count ? 1 : 0) | (idB == id && b < count ? 2 : 0) | (idC == id && c < count ? 4 : 0) | (idD == id && d < count ? 8 : 0);
            found |= bits << k;
            own += (bits & 1) + ((bits >> 1) & 1) + ((bits >> 2) & 1) + (bits >> 3);
        }

        Group.Barrier();
        list.Counts[thread] = own;
        Group.Barrier();
        int blocks = (threads + Block - 1) / Block;
        if (thread < blocks)
        {
            list.Sums[thread] = Sum(list.Counts, thread * Block, IntrinsicMath.Min((thread + 1) * Block, threads));
        }

        Group.Barrier();
        if (own > 0)
        {
            int at = Sum(list.Sums, 0, thread / Block) + Sum(list.Counts, thread / Block * Block, thread);
            for (int k = 0; k < PerThread; k++)
            {
                if (((found >> k) & 1) != 0)
                {
                    list.Places[at] = (ushort)(k * threads + thread);
                    at++;
                }
            }
        }

        int length = Sum(list.Sums, 0, blocks);
        Group.Barrier();
        return length;
    }

    /// <summary>Whether an id is not among those before a place.</summary>
    public static bool IsFirst(IdList list, ArrayView<int> ids, int place)
    {
        int thread = Group.IdxX, threads = Group.DimX, id = ids[place], seen = 0;
        for (int i = thread; i < place; i += 4 * threads)
        {
            int last = place - 1, b = IntrinsicMath.Min(i + threads, last), c = IntrinsicMath.Min(i + 2 * threads, last), d = IntrinsicMath.Min(i + 3 * threads, last);
            seen |= (ids[i] == id ? 1 : 0) | (ids[b] == id ? 1 : 0) | (ids[c] == id ? 1 : 0) | (ids[d] == id ? 1 : 0);
        }

        if (thread == 0)
        {
            list.Sums[0] = 0;
        }

        Group.Barrier();
        if (seen != 0)
        {
            list.Sums[0] = 1;
        }

        Group.Barrier();
        return list.Sums[0] == 0;
    }

    private static int Sum(ArrayView<int> x, int start, int end)
    {
        int sum = 0;
        for (int i = start; i < end; i++)
        {
            sum += x[i];
        }

        return sum;
    }
}
