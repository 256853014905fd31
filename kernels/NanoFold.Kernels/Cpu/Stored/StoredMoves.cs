namespace NanoFold.Kernels.Cpu.Stored;

/// <summary>Weights of a type of files as floats, all of them.</summary>
internal static unsafe class StoredCopy
{
    private const int ItemValues = 1 << 14;

    /// <summary>Whether it serves a copy.</summary>
    public static bool Fits(in View x, in View y, bool accumulate) =>
        !accumulate && BackendChecks.IsStored(x, y) && x.Layout.SameShape(y.Layout) && x.Layout.IsContiguous && y.Layout.IsContiguous;

    public static void Run(CpuContext context, in View x, in View y)
    {
        var work = new Work { X = (byte*)x.Address, Y = y.Floats, Type = x.Type, Count = x.Count };
        context.Run(ref work, (x.Count + ItemValues - 1) / ItemValues, parallel: true);
    }

    private struct Work : IWork
    {
        public byte* X;
        public float* Y;
        public DType Type;
        public long Count;

        public readonly void Invoke(long item, int worker)
        {
            long start = item * ItemValues;
            StoredRows.Widen(Type, X + Type.Bytes(start), 0, (int)Math.Min(ItemValues, Count - start), Y + start);
        }
    }
}

/// <summary>Rows of a table of a type of files, by id.</summary>
internal static unsafe class StoredGather
{
    public static void Run(CpuContext context, in View table, in View ids, in View y, bool accumulate)
    {
        Rows.Gather.CheckIds("gather", ids, table.Layout[0]);
        if (accumulate || !y.Layout.IsContiguous)
        {
            Checks.Throw("gather", $"table is {table}, y is {y}, expected a contiguous y that is overwritten");
        }

        var work = new Work
        {
            Table = (byte*)table.Address, RowBytes = table.Type.Bytes(table.Layout.Stride(0)), Type = table.Type, Ids = ids.Ints, Y = y.Floats, Width = table.Layout[1],
        };
        context.Run(ref work, ids.Count, y.Count >= Pointwise.Map.SmallElements);
    }

    private struct Work : IWork
    {
        public byte* Table;
        public long RowBytes;
        public DType Type;
        public int* Ids;
        public float* Y;
        public int Width;

        public readonly void Invoke(long item, int worker)
        {
            float* y = Y + item * Width;
            if (Ids[item] < 0)
            {
                new Span<float>(y, Width).Clear();
                return;
            }

            StoredRows.Widen(Type, Table + Ids[item] * RowBytes, 0, Width, y);
        }
    }
}
