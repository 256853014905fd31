using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>Sums the runs of a chunk of sorted places, a column a thread; the grid is chunks, blocks of columns.</summary>
internal struct ScatterChunkWork<T, TTable> : IGpuWork<ScatterChunkWork<T, TTable>>
    where T : unmanaged, IElement<T>
    where TTable : unmanaged, IElement<TTable>
{
    public ScatterRows<T, TTable> Rows;

    public static void Run(ScatterChunkWork<T, TTable> w)
    {
        const int Chunk = ScatterRows<T, TTable>.Chunk;
        int chunk = Grid.IdxX, column = Grid.IdxY * Group.DimX + Group.IdxX, count = w.Rows.Rows.Count;
        int place = chunk * Chunk, end = IntrinsicMath.Min(place + Chunk, count);
        if (column >= w.Rows.Width)
        {
            return;
        }

        IdRun run;
        run.Id = w.Rows.Ids[place];
        run.Continues = place > 0 && w.Rows.Ids[place - 1] == run.Id ? 1 : 0;
        run.Sum = 0;
        for (; place < end && run.Id < w.Rows.TableRows; place += 4)
        {
            // All loads first, so that they are under way together.
            int last = end - 1, p1 = IntrinsicMath.Min(place + 1, last), p2 = IntrinsicMath.Min(place + 2, last), p3 = IntrinsicMath.Min(place + 3, last);
            float x0 = ScatterRows<T, TTable>.Read(w.Rows, place, column), x1 = ScatterRows<T, TTable>.Read(w.Rows, p1, column);
            float x2 = ScatterRows<T, TTable>.Read(w.Rows, p2, column), x3 = ScatterRows<T, TTable>.Read(w.Rows, p3, column);
            int id0 = w.Rows.Ids[place], id1 = w.Rows.Ids[p1], id2 = w.Rows.Ids[p2], id3 = w.Rows.Ids[p3];
            run = Step(w.Rows, chunk, column, id0, x0, run);
            run = Step(w.Rows, chunk, column, id1, place + 1 < end ? x1 : 0, run);
            run = Step(w.Rows, chunk, column, id2, place + 2 < end ? x2 : 0, run);
            run = Step(w.Rows, chunk, column, id3, place + 3 < end ? x3 : 0, run);
        }

        if (run.Id >= w.Rows.TableRows)
        {
            return;
        }

        if (run.Continues == 0 && end < count && w.Rows.Ids[end] == run.Id)
        {
            w.Rows.Partial[ScatterRows<T, TTable>.PartialAt(w.Rows, chunk, 1, column)] = run.Sum;
            return;
        }

        Flush(w.Rows, chunk, column, run);
    }

    private static IdRun Step(in ScatterRows<T, TTable> rows, int chunk, int column, int id, float x, IdRun run)
    {
        if (id != run.Id)
        {
            Flush(rows, chunk, column, run);
            run.Id = id;
            run.Sum = 0;
            run.Continues = 0;
        }

        run.Sum += x;
        return run;
    }

    /// <summary>Only the last ids may be of no row, so the ones that end before others are of some.</summary>
    private static void Flush(in ScatterRows<T, TTable> rows, int chunk, int column, IdRun run)
    {
        if (run.Continues != 0)
        {
            rows.Partial[ScatterRows<T, TTable>.PartialAt(rows, chunk, 0, column)] = run.Sum;
        }
        else
        {
            ScatterRows<T, TTable>.Add(rows, run.Id, column, run.Sum);
        }
    }

    /// <summary>Equal ids that are being added up; not 0 where they began in the chunk before.</summary>
    internal struct IdRun
    {
        public int Id, Continues;
        public float Sum;
    }
}

/// <summary>Adds up the runs that lie in several chunks, each where it begins; the grid is chunks, blocks of columns.</summary>
internal struct ScatterRunWork<T, TTable> : IGpuWork<ScatterRunWork<T, TTable>>
    where T : unmanaged, IElement<T>
    where TTable : unmanaged, IElement<TTable>
{
    public ScatterRows<T, TTable> Rows;

    public static void Run(ScatterRunWork<T, TTable> w)
    {
        const int Chunk = ScatterRows<T, TTable>.Chunk;
        int chunk = Grid.IdxX, column = Grid.IdxY * Group.DimX + Group.IdxX, count = w.Rows.Rows.Count;
        int first = chunk * Chunk, next = first + Chunk;
        if (column >= w.Rows.Width || next >= count)
        {
            return;
        }

        int id = w.Rows.Ids[next];
        bool begins = w.Rows.Ids[first] != id || first == 0 || w.Rows.Ids[first - 1] != id;
        if (id >= w.Rows.TableRows || w.Rows.Ids[next - 1] != id || !begins)
        {
            return;
        }

        float sum = w.Rows.Partial[ScatterRows<T, TTable>.PartialAt(w.Rows, chunk, 1, column)];
        for (chunk++; chunk * Chunk < count && w.Rows.Ids[chunk * Chunk] == id; chunk++)
        {
            sum += w.Rows.Partial[ScatterRows<T, TTable>.PartialAt(w.Rows, chunk, 0, column)];
        }

        ScatterRows<T, TTable>.Add(w.Rows, id, column, sum);
    }
}

/// <summary>
/// Operands of table[ids[i], :] += x[i, :] with the ids sorted. Sorted places are cut into chunks; a run of equal ids that lies within a chunk goes to the
/// table, what of it lies in several chunks to partial sums [chunk, 2, C]: first of the run that came from the chunk before, second of the one that goes on.
/// </summary>
internal struct ScatterRows<T, TTable>
    where T : unmanaged, IElement<T>
    where TTable : unmanaged, IElement<TTable>
{
    public const int Chunk = 32;

    public ArrayView<T> X;
    public ArrayView<TTable> Table;
    public ArrayView<int> Ids, Order;
    public ArrayView<float> Partial;

    /// <summary>Rows of x.</summary>
    public Nest Rows;
    public long XColumn, TableRow, TableColumn;
    public int TableRows, Width;

    public static float Read(in ScatterRows<T, TTable> w, int place, int column) =>
        T.Read(w.X[Nest.At(w.Rows, w.Rows.Y, w.Order[place]) + column * w.XColumn]);

    public static void Add(in ScatterRows<T, TTable> w, int id, int column, float sum)
    {
        long at = id * w.TableRow + column * w.TableColumn;
        w.Table[at] = TTable.Write(TTable.Read(w.Table[at]) + sum);
    }

    public static long PartialAt(in ScatterRows<T, TTable> w, int chunk, int which, int column) => (2L * chunk + which) * w.Width + column;
}
