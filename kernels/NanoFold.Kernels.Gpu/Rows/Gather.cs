using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>y[i, :] = table[ids[i], :] (+ y), an element a thread. Ids of no row give 0.</summary>
internal struct GatherWork<T> : IGpuWork<GatherWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Table, Y;
    public ArrayView<int> Ids;

    /// <summary>Rows of y.</summary>
    public Nest Rows;
    public long TableRow, TableColumn, YColumn;
    public int TableRows, Width, Accumulate;

    public static void Run(GatherWork<T> w)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        int row = (int)(i / w.Width), column = (int)(i % w.Width);
        if (row >= w.Rows.Count)
        {
            return;
        }

        int id = w.Ids[row];
        float value = id >= 0 && id < w.TableRows ? T.Read(w.Table[id * w.TableRow + column * w.TableColumn]) : 0;
        long at = Nest.At(w.Rows, w.Rows.Y, row) + column * w.YColumn;
        w.Y[at] = T.Write(w.Accumulate != 0 ? T.Read(w.Y[at]) + value : value);
    }
}

/// <summary>As <see cref="GatherWork{T}"/>, four neighbors a thread; steps are in fours.</summary>
internal struct FourGatherWork<T> : IGpuWork<FourGatherWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<Vector4<T>> Table, Y;
    public ArrayView<int> Ids;

    /// <summary>Rows of y, in elements.</summary>
    public Nest Rows;
    public long TableRow;
    public int TableRows, Width, Accumulate;

    public static void Run(FourGatherWork<T> w)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        int row = (int)(i / w.Width), column = (int)(i % w.Width);
        if (row >= w.Rows.Count)
        {
            return;
        }

        int id = w.Ids[row];
        Vector4<T> value = default;
        if (id >= 0 && id < w.TableRows)
        {
            value = w.Table[id * w.TableRow + column];
        }

        long at = (Nest.At(w.Rows, w.Rows.Y, row) >> 2) + column;
        if (w.Accumulate != 0)
        {
            Vector4<T> y = w.Y[at];
            value.A = T.Write(T.Read(y.A) + T.Read(value.A));
            value.B = T.Write(T.Read(y.B) + T.Read(value.B));
            value.C = T.Write(T.Read(y.C) + T.Read(value.C));
            value.D = T.Write(T.Read(y.D) + T.Read(value.D));
        }

        w.Y[at] = value;
    }
}
