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
        int place = chunk * Chunk, end = IntrinsicMath.Min(place + Chunk, count), id = w.Rows.Ids[place];
        if (column >= w.Rows.Width)
        {
            return;
        }

        bool continues = place > 0 && w.Rows.Ids[place - 1] == id;
        float sum = 0;
        for (; place < end && id < w.Rows.TableRows; place += 4)
        {
            // All loads first, so that they are under way together.
            int last = end - 1, p1 = IntrinsicMath.Min(place + 1, last), p2 = IntrinsicMath.Min(place + 2, last), p3 = IntrinsicMath.Min(place + 3, last);
            float x0 = ScatterRows<T, TTable>.Read(w.Rows, place, column), x1 = ScatterRows<T, TTable>.Read(w.Rows, p1, column);
            float x2 = ScatterRows<T, TTable>.Read(w.Rows, p2, column), x3 = ScatterRows<T, TTable>.Read(w.Rows, p3, column);
            int id0 = w.Rows.Ids[place], id1 = w.Rows.Ids[p1], id2 = w.Rows.Ids[p2], id3 = w.Rows.Ids[p3];
            Step(w.Rows, chunk, column, id0, x0, ref id, ref sum, ref continues);
            Step(w.Rows, chunk, column, id1, place + 1 < end ? x1 : 0, ref id, ref sum, ref continues);
            Step(w.Rows, chunk, column, id2, place + 2 < end ? x2 : 0, ref id, ref sum, ref continues);
            Step(w.Rows, chunk, column, id3, place + 3 < end ? x3 : 0, ref id, ref sum, ref continues);
        }

        if (id >= w.Rows.TableRows)
        {
            return;
        }

        if (!continues && end < count && w.Rows.Ids[end] == id)
        {
            w.Rows.Partial[ScatterRows<T, TTable>.PartialAt(w.Rows, chunk, 1, column)] = sum;
            return;
        }

        Flush(w.Rows, chunk, column, id, sum, continues);
    }

    private static void Step(in ScatterRows<T, TTable> rows, int chunk, int column, int next, float x, ref int id, ref float sum, ref bool continues)
    {
        if (next != id)
        {
            Flush(rows, chunk, column, id, sum, continues);
            id = next;
            sum = 0;
            continues = false;
        }

        sum += x;
    }

    /// <summary>Only the last ids may be of no row, so the ones that end before others are of some.</summary>
    private static void Flush(in ScatterRows<T, TTable> rows, int chunk, int column, int id, float sum, bool continues)
    {
        if (continues)
        {
            rows.Partial[ScatterRows<T, TTable>.PartialAt(rows, chunk, 0, column)] = sum;
        }
        else
        {
            ScatterRows<T, TTable>.Add(rows, id, column, sum);
        }
    }
}
