using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>Leading dimensions of a product, merged where they lie evenly; with one b for all, into the rows.</summary>
internal unsafe struct Batches
{
    private const int MaxRank = Layout.MaxRank - 2;

    private Product _first;
    private Dimensions _shape;
    private int _rank;

    /// <param name="args">Checked.</param>
    public Batches(in MatMulArgs args)
    {
        _first = First(args);
        ref readonly Layout y = ref args.Y.Layout;
        Layout residual = args.Residual.IsNone ? default : args.Residual.Layout.BroadcastTo(y);
        int size = args.Y.Type.Size();
        DType stored = _first.Stored;
        for (int i = 0; i < y.Rank - 2; i++)
        {
            if (y[i] > 1)
            {
                Append(new Dimension
                {
                    Length = y[i],
                    A = Stride(args.A, i - y.Rank) * size,
                    B = stored == DType.Float32 ? Stride(args.B, i - y.Rank) * size : (nint)stored.Bytes(Stride(args.B, i - y.Rank)),
                    Y = Stride(args.Y, i - y.Rank) * size,
                    Residual = args.Residual.IsNone ? 0 : (nint)residual.Stride(i) * size,
                });
            }
        }

        FoldIntoRows();
    }

    public readonly long Count
    {
        get
        {
            long count = 1;
            for (int i = 0; i < _rank; i++)
            {
                count *= _shape[i].Length;
            }

            return count;
        }
    }

    /// <summary>The product of one batch.</summary>
    public readonly Product this[long batch]
    {
        get
        {
            Product product = _first;
            for (int i = _rank - 1; i >= 0; i--)
            {
                ref readonly Dimension dimension = ref _shape[i];
                nint index = (nint)(batch % dimension.Length);
                batch /= dimension.Length;
                product.A += index * dimension.A;
                product.B += index * dimension.B;
                product.Y += index * dimension.Y;
                product.Residual.Pointer += index * dimension.Residual;
            }

            return product;
        }
    }

    private static Product First(in MatMulArgs args)
    {
        View a = args.A, b = args.B, y = args.Y;
        int aRow = args.TransposeA ? -1 : -2, aStep = -3 - aRow, bStep = args.TransposeB ? -1 : -2, bColumn = -3 - bStep;
        int size = y.Type.Size();
        bool isStored = BackendChecks.IsStored(b, y);
        var product = new Product
        {
            A = (byte*)a.Address,
            ARow = (nint)a.Layout.Stride(aRow) * size,
            AStep = (nint)a.Layout.Stride(aStep) * size,
            B = (byte*)b.Address,
            BStep = (nint)b.Layout.Stride(bStep) * size,
            BColumn = isStored ? (nint)b.Type.Bytes(b.Layout.Stride(bColumn)) : (nint)b.Layout.Stride(bColumn) * size,
            Stored = isStored ? b.Type : DType.Float32,
            Y = (byte*)y.Address,
            YRow = (nint)y.Layout.Stride(-2) * size,
            YColumn = (nint)y.Layout.Stride(-1) * size,
            Rows = y.Layout[-2],
            Columns = y.Layout[-1],
            Depth = a.Layout[aStep],
            Alpha = args.Alpha,
            Accumulate = args.Accumulate,
            IsSymmetric = args.IsSymmetric,
        };
        if (!args.Bias.IsNone)
        {
            product.Bias = new Addend { Pointer = (byte*)args.Bias.Address, Column = (nint)args.Bias.Layout.Stride(0) * size };
        }

        if (!args.Residual.IsNone)
        {
            Layout residual = args.Residual.Layout.BroadcastTo(y.Layout);
            if (BackendChecks.IsSamePlace(args.Residual, y))
            {
                // It would be gone by the time it is added.
                product.Accumulate = true;
                return product;
            }

            product.Residual = new Addend { Pointer = (byte*)args.Residual.Address, Row = (nint)residual.Stride(-2) * size, Column = (nint)residual.Stride(-1) * size };
        }

        return product;
    }

    private static nint Stride(in View view, int axis)
        => -axis > view.Layout.Rank || view.Layout[axis] == 1 ? 0 : (nint)view.Layout.Stride(axis);

    /// <summary>Adds an inner dimension, as part of the one before where the two follow each other evenly in all operands.</summary>
    private void Append(in Dimension inner)
    {
        if (_rank > 0)
        {
            ref Dimension outer = ref _shape[_rank - 1];
            if (outer.A == inner.A * inner.Length && outer.B == inner.B * inner.Length
                && outer.Y == inner.Y * inner.Length && outer.Residual == inner.Residual * inner.Length)
            {
                long length = outer.Length;
                outer = inner;
                outer.Length *= length;
                return;
            }
        }

        _shape[_rank++] = inner;
    }

    /// <summary>[B, T, C] · [C, N] is one product of B · T rows.</summary>
    private void FoldIntoRows()
    {
        while (_rank > 0)
        {
            ref readonly Dimension last = ref _shape[_rank - 1];
            bool single = _first.Rows == 1;
            if (last.B != 0 || last.Length * _first.Rows > int.MaxValue
                || !(single || (last.A == _first.ARow * _first.Rows && last.Y == _first.YRow * _first.Rows
                    && (_first.Residual.IsNone || last.Residual == _first.Residual.Row * _first.Rows))))
            {
                return;
            }

            if (single)
            {
                _first.ARow = last.A;
                _first.YRow = last.Y;
                _first.Residual.Row = last.Residual;
            }

            _first.Rows *= (int)last.Length;
            _rank--;
        }
    }

    private struct Dimension
    {
        public long Length;
        public nint A;
        public nint B;
        public nint Y;
        public nint Residual;
    }

    [InlineArray(MaxRank)]
    private struct Dimensions
    {
        private Dimension _first;
    }
}
