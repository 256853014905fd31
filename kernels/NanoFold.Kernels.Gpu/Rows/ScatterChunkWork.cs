using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

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
