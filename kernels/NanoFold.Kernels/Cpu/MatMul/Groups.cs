namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>A grouped product cut into one product per group.</summary>
internal readonly unsafe struct Groups
{
    private readonly Product _first;
    private readonly byte* _offsets;
    private readonly nint _offsetStride;
    private readonly nint _groupStride;
    private readonly bool _perGroupOutput;
    private readonly int _size;

    /// <param name="args">Checked, but for the values of the offsets.</param>
    /// <exception cref="ArgumentException">Offsets do not ascend or do not fit.</exception>
    public Groups(in GroupedMatMulArgs args)
    {
        View a = args.A, b = args.B, y = args.Y;
        _perGroupOutput = args.PerGroupOutput;
        Count = (_perGroupOutput ? y : b).Layout[0];
        _size = y.Type.Size();
        int rows = a.Layout[0];
        if (_perGroupOutput)
        {
            _groupStride = Bytes(y, 0);
            _first = new Product
            {
                ARow = Bytes(a, 1), AStep = Bytes(a, 0),
                BStep = Bytes(b, 0), BColumn = Bytes(b, 1),
                YRow = Bytes(y, 1), YColumn = Bytes(y, 2),
                Rows = a.Layout[1], Columns = b.Layout[1],
            };
        }
        else
        {
            int step = args.TransposeB ? 2 : 1, column = 3 - step;
            _groupStride = Bytes(b, 0);
            _first = new Product
            {
                ARow = Bytes(a, 0), AStep = Bytes(a, 1),
                BStep = Bytes(b, step), BColumn = Bytes(b, column),
                YRow = Bytes(y, 0), YColumn = Bytes(y, 1),
                Depth = a.Layout[1], Columns = b.Layout[column],
            };
        }

        if (BackendChecks.IsStored(b, y))
        {
            _first.Stored = b.Type;
            _first.BStep = _size;
            _first.BColumn = (nint)b.Type.Bytes(b.Layout.Stride(1));
            _groupStride = (nint)b.Type.Bytes(b.Layout.Stride(0));
        }

        _first.A = (byte*)a.Address;
        _first.B = (byte*)b.Address;
        _first.Y = (byte*)y.Address;
        _first.Alpha = 1;
        _first.Accumulate = args.Accumulate;
        _offsets = Offsets(args.Offsets, Count, rows);
        _offsetStride = (nint)args.Offsets.Layout.Stride(0) * sizeof(int);
    }

    public int Count { get; }

    /// <summary>The product of group <paramref name="e"/>: without rows, or with one output per group without depth, where the group is empty.</summary>
    public Product this[int e]
    {
        get
        {
            int start = *(int*)(_offsets + e * _offsetStride);
            int length = *(int*)(_offsets + (e + 1) * _offsetStride) - start;
            Product product = _first;
            if (_perGroupOutput)
            {
                product.A += start * product.AStep;
                product.B += start * product.BStep;
                product.Y += e * _groupStride;
                product.Depth = length;
            }
            else
            {
                product.A += start * product.ARow;
                product.B += e * _groupStride;
                product.Y += start * product.YRow;
                product.Rows = length;
            }

            return product;
        }
    }

    /// <summary>y = 0 for a group without rows.</summary>
    public void ClearUnlessAccumulating(in Product product)
    {
        if (product.Accumulate)
        {
            return;
        }

        for (int i = 0; i < product.Rows; i++)
        {
            for (int j = 0; j < product.Columns; j++)
            {
                new Span<byte>(product.Y + i * product.YRow + j * product.YColumn, _size).Clear();
            }
        }
    }

    private static nint Bytes(in View view, int axis) => (nint)view.Layout.Stride(axis) * view.Type.Size();

    private static byte* Offsets(in View offsets, int groups, int rows)
    {
        int last = 0;
        for (int e = 0; e <= groups; e++)
        {
            int offset = offsets.Ints[e * offsets.Layout.Stride(0)];
            if (offset < last || offset > rows)
            {
                throw new ArgumentException($"grouped matmul: expected ascending offsets in [0, {rows}], got {offset} after {last} at {e}");
            }

            last = offset;
        }

        return (byte*)offsets.Address;
    }
}
