namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>Checks the operands of a product and turns them into addresses.</summary>
internal static unsafe class MatMulShape
{
    private const string Op = "matmul";

    /// <summary>The product of the first matrices; batches are left to <see cref="Batches"/>.</summary>
    /// <exception cref="ArgumentException">Shapes or types do not fit.</exception>
    public static Product Product(in MatMulArgs args)
    {
        View a = args.A, b = args.B, y = args.Y;
        RequireMatrix(a, "a");
        RequireMatrix(b, "b");
        RequireMatrix(y, "y");
        RequireTypes(Op, a, b, y);
        int aRowAxis = args.TransposeA ? -1 : -2, bRowAxis = args.TransposeB ? -1 : -2;
        int rows = a.Layout[aRowAxis], depth = a.Layout[-3 - aRowAxis], columns = b.Layout[-3 - bRowAxis];
        if (b.Layout[bRowAxis] != depth)
        {
            throw new ArgumentException($"{Op}: expected {depth} rows in op(b) to fit a {a.Layout}{Mark(args.TransposeA)}, got b {b.Layout}{Mark(args.TransposeB)}");
        }

        if (y.Layout[-2] != rows || y.Layout[-1] != columns)
        {
            throw new ArgumentException($"{Op}: expected y [.., {rows}, {columns}] for a {a.Layout}{Mark(args.TransposeA)} and b {b.Layout}{Mark(args.TransposeB)}, got {y.Layout}");
        }

        RequireBatch(a, y, "a");
        RequireBatch(b, y, "b");
        int size = y.Type.Size();
        return new Product
        {
            A = (byte*)a.Address,
            ARow = (nint)a.Layout.Stride(aRowAxis) * size,
            AStep = (nint)a.Layout.Stride(-3 - aRowAxis) * size,
            B = (byte*)b.Address,
            BStep = (nint)b.Layout.Stride(bRowAxis) * size,
            BColumn = (nint)b.Layout.Stride(-3 - bRowAxis) * size,
            Y = (byte*)y.Address,
            YRow = (nint)y.Layout.Stride(-2) * size,
            YColumn = (nint)y.Layout.Stride(-1) * size,
            Rows = rows,
            Columns = columns,
            Depth = depth,
            Alpha = args.Alpha,
            Accumulate = args.Accumulate,
            Bias = Bias(args.Bias, y, columns),
            Residual = Residual(args.Residual, y),
        };
    }

    public static void RequireTypes(string op, in View a, in View b, in View y)
    {
        if (y.Type is not (DType.Float32 or DType.Float64) || a.Type != y.Type || b.Type != y.Type)
        {
            throw new ArgumentException($"{op}: expected one real type, got a {a}, b {b}, y {y}");
        }
    }

    private static void RequireMatrix(in View view, string name)
    {
        if (view.IsNone || view.Layout.Rank < 2)
        {
            throw new ArgumentException($"{Op}: expected {name} [.., rows, columns], got {(view.IsNone ? "none" : view.Layout.ToString())}");
        }
    }

    private static void RequireBatch(in View view, in View y, string name)
    {
        int batches = view.Layout.Rank - 2;
        bool fits = batches <= y.Layout.Rank - 2;
        for (int i = 0; fits && i < batches; i++)
        {
            int own = view.Layout[i];
            fits = own == 1 || own == y.Layout[i + y.Layout.Rank - view.Layout.Rank];
        }

        if (!fits)
        {
            throw new ArgumentException($"{Op}: expected leading dimensions of {name} to fit y {y.Layout}, got {view.Layout}");
        }
    }

    private static Addend Bias(in View bias, in View y, int columns)
    {
        if (bias.IsNone)
        {
            return default;
        }

        return bias.Layout.Rank == 1 && bias.Layout[0] == columns && bias.Type == y.Type
            ? new Addend { Pointer = (byte*)bias.Address, Column = (nint)bias.Layout.Stride(0) * y.Type.Size() }
            : throw new ArgumentException($"{Op}: expected bias {y.Type}[{columns}], got {bias}");
    }

    private static Addend Residual(in View residual, in View y)
    {
        if (residual.IsNone)
        {
            return default;
        }

        if (residual.Type != y.Type || residual.Layout.Rank > y.Layout.Rank || residual.Layout.Rank < 2
            || residual.Layout[-2] != y.Layout[-2] || residual.Layout[-1] != y.Layout[-1])
        {
            throw new ArgumentException($"{Op}: expected residual {y}, got {residual}");
        }

        RequireBatch(residual, y, "residual");
        int size = y.Type.Size();
        return new Addend { Pointer = (byte*)residual.Address, Row = (nint)residual.Layout.Stride(-2) * size, Column = (nint)residual.Layout.Stride(-1) * size };
    }

    private static string Mark(bool transposed) => transposed ? "ᵀ" : "";
}
