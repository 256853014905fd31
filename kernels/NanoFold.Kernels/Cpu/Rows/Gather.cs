using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Rows;

/// <summary>Rows of a table by id, and their gradient.</summary>
internal static unsafe class Gather
{
    /// <summary>Columns of the table that one work item adds to, at least and at most: wide enough to read memory in runs, and several items per table.</summary>
    private const int LeastColumns = 32;
    private const int MostColumns = 256;

    public static void Run(CpuContext context, in View table, in View ids, in View y, bool accumulate)
    {
        CheckIds("gather", ids, table.Layout[0]);
        GatherWork work = Work(table, ids, y, accumulate);
        context.Run(y.Type, work.Cut.Items, ref work, y.Count >= Map.SmallElements);
    }

    /// <summary>The same to be run over and over; ids are looked at each time.</summary>
    public static PreparedCall Prepare(CpuContext context, View table, View ids, View y)
    {
        GatherWork work = Work(table, ids, y, accumulate: false);
        return context.Prepare(y.Type, work.Cut.Items, work, y.Count >= Map.SmallElements, () => CheckIds("gather", ids, table.Layout[0]));
    }

    public static void ScatterAdd(CpuContext context, in View x, in View ids, in View table)
    {
        CheckIds("scatter-add", ids, table.Layout[0]);
        var work = new ScatterWork { Table = new ViewRows(table), Ids = ids.Ints, X = new ViewRows(x) };
        work.Columns = Math.Clamp(work.X.Length / 4, LeastColumns, MostColumns);
        long items = (work.X.Length + work.Columns - 1) / work.Columns;
        context.Run(x.Type, items, ref work, x.Count >= Map.SmallElements);
    }

    private static GatherWork Work(in View table, in View ids, in View y, bool accumulate)
    {
        var work = new GatherWork { Table = new ViewRows(table), Ids = ids.Ints, Y = new ViewRows(y), Accumulate = accumulate };
        work.Cut = new RowCut(work.Y.Count, work.Y.Length);
        return work;
    }

    internal static void CheckIds(string op, in View ids, int count)
    {
        int* id = ids.Ints;
        for (long i = 0; i < ids.Count; i++)
        {
            // −1 stands for no row.
            if ((uint)(id[i] + 1) > (uint)count)
            {
                Checks.Throw(op, $"id {id[i]} at {i} is outside [0, {count})");
            }
        }
    }

    private static void* At<V>(void* x, long index)
        where V : struct, ICpuLane<V>
        => (byte*)x + index * V.Type.Size();

    private struct GatherWork : ILaneWork
    {
        public ViewRows Table;
        public int* Ids;
        public ViewRows Y;
        public RowCut Cut;
        public bool Accumulate;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            Cut.Item(item, out long firstRow, out long rows, out long start, out long length);
            double zero = 0;
            for (long row = firstRow; row < firstRow + rows; row++)
            {
                int id = Ids[row];
                void* y = At<V>(Y[row], start * Y.Stride);
                if (id >= 0)
                {
                    Strides.Move<V>(At<V>(Table[id], start * Table.Stride), Table.Stride, y, Y.Stride, length, Accumulate);
                }
                else if (!Accumulate)
                {
                    Strides.Move<V>(&zero, 0, y, Y.Stride, length, false);
                }
            }
        }
    }

    private struct ScatterWork : ILaneWork
    {
        public ViewRows Table;
        public int* Ids;
        public ViewRows X;
        public int Columns;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            long start = item * Columns, length = Math.Min(Columns, X.Length - start);
            for (long row = 0; row < X.Count; row++)
            {
                if (Ids[row] >= 0)
                {
                    Strides.Move<V>(At<V>(X[row], start * X.Stride), X.Stride, At<V>(Table[Ids[row]], start * Table.Stride), Table.Stride, length, true);
                }
            }
        }
    }
}
