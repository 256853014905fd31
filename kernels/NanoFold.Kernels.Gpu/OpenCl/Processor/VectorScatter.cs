using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>table[ids[i], :] += x[i, :] in single precision on an OpenCL device that is a processor. A group is one thread, which goes through all ids and adds those that are its own, in their order.</summary>
internal sealed class VectorScatter(GpuContext context) : IDisposable
{
    // A power of two: a group has the ids with its own lowest bits. Rows that many ids name are spread over them, and none has much more to read than to add.
    private const int Groups = 32;

    private const string Body = """
        struct operands
        {
            long x, ids, table, x0, x1, x2, tableRow;
            int count, n1, n2, rows, width;
        };

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void scatter(global const float* X, global const int* ids, global float* table, struct operands w)
        {
            int own = get_group_id(0), groups = get_num_groups(0);
            ids += w.ids;
            for (int i = 0; i < w.count; i++)
            {
                int id = ids[i];
                if ((id & (groups - 1)) != own || id < 0 || id >= w.rows)
                    continue;
                long i2 = i % w.n2, i1 = i / w.n2 % w.n1, i0 = i / w.n2 / w.n1;
                global const float* x = X + w.x + i0 * w.x0 + i1 * w.x1 + i2 * w.x2;
                global float* y = table + w.table + id * w.tableRow;
                for (int j = 0; j < w.width; j += 16)
                {
                    STORE(LOAD(y, j) + LOAD(x, j), y, j);
                }
            }
        }

        """;

    private OpenClProgram? _program;

    /// <summary>Runs it, or returns false where rows are not in one stretch of memory each or lie in more than three dimensions.</summary>
    public bool TryRun(in View x, in View ids, in View table)
    {
        Nest rows = RowNest.Of(x, x);
        if (x.Type != DType.Float32 || table.Type != DType.Float32 || rows.Rank > 3 || rows.Count == 0 || x.Layout.Stride(-1) != 1 || table.Layout.Stride(1) != 1)
        {
            return false;
        }

        var operands = new Operands
        {
            X = x.Offset, Ids = ids.Offset, Table = table.Offset, X0 = rows.Y.S0, X1 = rows.Y.S1, X2 = rows.Y.S2, TableRow = table.Layout.Stride(0),
            Count = rows.Count, N1 = Math.Max(1, rows.N1), N2 = Math.Max(1, rows.N2), Rows = table.Layout[0], Width = x.Layout[-1],
        };
        _program ??= new OpenClProgram(context, "scatter", VectorRows.Text("w.width", isWhole: false) + Body);
        _program.Launch(operands, Groups, 1, 1, context.Handle(x), context.Handle(ids), context.Handle(table));
        return true;
    }

    public void Dispose() => _program?.Dispose();

    /// <summary>As the kernel's struct.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Operands
    {
        public long X, Ids, Table, X0, X1, X2, TableRow;
        public int Count, N1, N2, Rows, Width;
    }
}
