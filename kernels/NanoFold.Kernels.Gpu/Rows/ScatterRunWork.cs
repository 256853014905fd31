using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

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
