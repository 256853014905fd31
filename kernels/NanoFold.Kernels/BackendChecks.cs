using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels;

/// <summary>What each call of <see cref="Backend"/> asks of its views, in one place for every backend.</summary>
internal static class BackendChecks
{
    private static readonly string[] s_slots = ["first", "second", "third"];

    public static void Transfer<T>(string op, in View x, int count)
        where T : unmanaged
    {
        Checks.Inside(op, "the view", x);
        int size = System.Runtime.CompilerServices.Unsafe.SizeOf<T>();
        // Blocks go as bytes.
        bool fits = x.Type.IsBlocks() ? size == 1 && x.Type.Bytes(x.Count) == count : size == x.Type.Size() && x.Count == count;
        if (!x.Layout.IsContiguous || !fits)
        {
            Checks.Throw(op, $"{count} of {typeof(T).Name} with {x}, expected {x.Count} of the same size, contiguous");
        }
    }

    /// <param name="weights">Whether the backend takes an x of another type, see <see cref="Backend.ReadsWeights"/>.</param>
    public static void Copy(in View x, in View y, bool accumulate, bool weights = false)
    {
        Checks.Writable("copy", "y", y);
        Checks.Inside("copy", "x", x);
        Checks.Fits("copy", "x", x, y);
        if (weights && !accumulate && x.Type.IsBlocks() && y.Type == DType.Float32)
        {
            Stored("copy", "x", x);
            if (!x.Layout.SameShape(y.Layout) || !x.Layout.IsContiguous || !y.Layout.IsContiguous)
            {
                Checks.Throw("copy", $"x is {x}, y is {y}, expected both contiguous, of one shape");
            }
        }
        else if (x.Type != y.Type && (!Converts(x.Type) || !Converts(y.Type)))
        {
            Checks.Throw("copy", $"x is {x}, y is {y}, expected one type, or two of Float32, BFloat16 and Float16");
        }

        if (accumulate)
        {
            Checks.Real("copy", "accumulated y", y);
        }
    }

    public static void Pointwise(string op, in View a, in View y)
    {
        Checks.Writable(op, "y", y);
        Checks.Real(op, "y", y);
        Checks.Broadcasts(op, "a", a, y);
    }

    public static void Pointwise(string op, in View a, in View b, in View y)
    {
        Pointwise(op, a, y);
        Checks.Broadcasts(op, "b", b, y);
    }

    public static void Pointwise(string op, in View a, in View b, in View c, in View y)
    {
        Pointwise(op, a, b, y);
        Checks.Broadcasts(op, "c", c, y);
    }

    public static void Pointwise(string op, in View a, in View b, in View c, in View y, in View z)
    {
        Pointwise(op, a, b, c, y);
        Checks.Writable(op, "z", z);
        Checks.Same(op, "z", z, y);
    }

    public static void Sum(in View x, in View y)
    {
        Checks.Writable("sum", "y", y);
        Checks.Real("sum", "x", x);
        Checks.IsSum("sum", "y", y, x);
        Checks.Fits("sum", "y", y, x);
    }

    /// <param name="weights">Whether the backend takes a table of another type than y, see <see cref="Backend.ReadsWeights"/>.</param>
    public static void Gather(in View table, in View ids, in View y, bool weights = false)
    {
        Checks.Writable("gather", "y", y);
        Checks.Real("gather", "table", table);
        if (weights && IsStored(table, y))
        {
            Stored("gather", "table", table);
        }
        else
        {
            Checks.Like("gather", "y", y, table);
        }

        Rows("gather", table, ids, y, "y");
    }

    public static void ScatterAdd(in View x, in View ids, in View table)
    {
        Checks.Writable("scatter-add", "table", table);
        Checks.Real("scatter-add", "x", x);
        Checks.LikeOrSum("scatter-add", "table", table, x);
        Rows("scatter-add", table, ids, x, "x");
    }

    public static void TopK(in View x, in View values, in View indices)
    {
        const string Op = "top-k";
        Checks.Real(Op, "x", x);
        Checks.Rank(Op, "x", x, 2);
        Checks.Writable(Op, "values", values);
        Checks.Like(Op, "values", values, x);
        Checks.Rank(Op, "values", values, 2);
        Checks.Writable(Op, "indices", indices);
        if (values.Layout[0] != x.Layout[0] || values.Layout[1] > x.Layout[1])
        {
            Checks.Throw(Op, $"values are {values}, expected [{x.Layout[0]}, k] with k at most {x.Layout[1]}");
        }

        if (indices.Type != DType.Int32 || !indices.Layout.SameShape(values.Layout))
        {
            Checks.Throw(Op, $"indices are {indices}, expected Int32{values.Layout}");
        }
    }

    public static void Update<TFormula>(in UpdateArgs args)
        where TFormula : struct, IUpdateFormula
    {
        Checks.State("update", args.State);
        Checks.Slot("update", "rate", args.Rate);
        Checks.SlotOrNone("update", "factor a", args.FactorA);
        Checks.SlotOrNone("update", "factor b", args.FactorB);
        Checks.Writable("update", "parameter", args.Parameter);
        Checks.Real("update", "parameter", args.Parameter);
        RowCheck.Vector("update", "parameter", args.Parameter, args.Parameter.Type, args.Parameter.Count);
        RowCheck.Vector("update", "gradient", args.Gradient, args.Parameter.Type, args.Parameter.Count);
        ReadOnlySpan<View> slots = [args.First, args.Second, args.Third];
        for (int i = 0; i < slots.Length; i++)
        {
            if (i < TFormula.Slots)
            {
                RowCheck.Vector("update", s_slots[i], slots[i], args.Parameter.Type, args.Parameter.Count);
            }
            else if (!slots[i].IsNone)
            {
                Checks.Throw("update", $"has a {s_slots[i]} slot, which the formula does not use");
            }
        }
    }

    public static void Dropout(StepState state, in View x, in View y, double rate)
    {
        Checks.State("dropout", state);
        Checks.Writable("dropout", "y", y);
        Checks.Real("dropout", "x", x);
        Checks.Same("dropout", "x", x, y);
        if (!(rate >= 0 && rate < 1))
        {
            Checks.Throw("dropout", $"rate is {rate}, expected [0, 1)");
        }
    }

    public static void Softmax(in View x, in View y, in Visible visible)
    {
        const string Op = "softmax";
        Checks.Writable(Op, "y", y);
        Checks.Real(Op, "x", x);
        Checks.Same(Op, "x", x, y);
        bool seesAll = visible is { Kind: VisibleKind.Full, Window: 0, Documents.IsNone: true, Blocks.IsNone: true };
        if (x.Layout.Rank < (seesAll ? 1 : 2))
        {
            Checks.Throw(Op, $"x is {x}, expected [.., T, S]");
        }

        if (!seesAll)
        {
            int batch = x.Layout.Rank > 2 ? x.Layout[0] : 1, queries = x.Layout[-2];
            visible.Check(Op, batch, checked((int)(x.Layout.Rows / batch / queries)), queries, x.Layout[-1]);
        }
    }

    public static void SoftmaxBackward(in View y, in View dy, in View dx)
    {
        const string Op = "softmax backward";
        Checks.Writable(Op, "dx", dx);
        Checks.Real(Op, "y", y);
        Checks.Same(Op, "dy", dy, y);
        Checks.Same(Op, "dx", dx, y);
        if (y.Layout.Rank < 1)
        {
            Checks.Throw(Op, $"y is {y}, expected at least one dimension");
        }
    }

    /// <param name="weights">Whether the backend takes a b of another type, see <see cref="Backend.ReadsWeights"/>.</param>
    public static void MatMul(in MatMulArgs args, bool weights = false)
    {
        const string Op = "matmul";
        View a = args.A, b = args.B, y = args.Y;
        Product(Op, a, b, y, weights && args.TransposeB && !args.TransposeA && !args.IsSymmetric);
        if (a.Layout.Rank < 2 || b.Layout.Rank < 2 || y.Layout.Rank < 2)
        {
            Checks.Throw(Op, $"a is {a}, b is {b}, y is {y}, expected at least two dimensions each");
        }

        (int m, int k) = args.TransposeA ? (a.Layout[-1], a.Layout[-2]) : (a.Layout[-2], a.Layout[-1]);
        (int k2, int n) = args.TransposeB ? (b.Layout[-1], b.Layout[-2]) : (b.Layout[-2], b.Layout[-1]);
        if (k != k2 || y.Layout[-2] != m || y.Layout[-1] != n || !LeadingFit(a, y) || !LeadingFit(b, y))
        {
            string ta = args.TransposeA ? "ᵀ" : "", tb = args.TransposeB ? "ᵀ" : "";
            Checks.Throw(Op, $"y is {y}, a{ta} is {a}, b{tb} is {b}, expected [.., M, N] = [.., M, K] · [.., K, N]");
        }

        if (y.Type != a.Type && (!args.Bias.IsNone || !args.Residual.IsNone))
        {
            Checks.Throw(Op, $"y is {y}, a is {a}, expected one type where there is a bias or a residual");
        }

        if (!args.Bias.IsNone)
        {
            Checks.Like(Op, "bias", args.Bias, y);
            if (args.Bias.Layout.Rank != 1 || args.Bias.Layout[0] != n)
            {
                Checks.Throw(Op, $"bias is {args.Bias}, expected [{n}]");
            }
        }

        if (!args.Residual.IsNone)
        {
            Checks.Broadcasts(Op, "residual", args.Residual, y);
            if (IsSamePlace(args.Residual, y) && (args.Accumulate || !args.Residual.Layout.Equals(y.Layout)))
            {
                Checks.Throw(Op, $"y is {y}, residual is {args.Residual} at the same place, expected one layout and y not added to besides");
            }
        }

        if (args.IsSymmetric && (m != n || args.Accumulate || !args.Bias.IsNone || !args.Residual.IsNone))
        {
            Checks.Throw(Op, $"y is {y}, expected a square y that is overwritten, without bias and residual, where it is said to be symmetric");
        }
    }

    public static bool IsSamePlace(in View a, in View b) => ReferenceEquals(a.Buffer, b.Buffer) && a.Offset == b.Offset;

    /// <inheritdoc cref="MatMul"/>
    public static void GroupedMatMul(in GroupedMatMulArgs args, bool weights = false)
    {
        const string Op = "grouped matmul";
        View a = args.A, b = args.B, y = args.Y;
        Product(Op, a, b, y, weights && args.TransposeB && !args.PerGroupOutput);
        Checks.Rank(Op, "a", a, 2);
        Checks.Rank(Op, "b", b, args.PerGroupOutput ? 2 : 3);
        Checks.Rank(Op, "y", y, args.PerGroupOutput ? 3 : 2);
        int rows = a.Layout[0], k = a.Layout[1];
        bool fits;
        int groups;
        if (args.PerGroupOutput)
        {
            groups = y.Layout[0];
            fits = b.Layout[0] == rows && y.Layout[1] == k && y.Layout[2] == b.Layout[1] && !args.TransposeB;
        }
        else
        {
            groups = b.Layout[0];
            (int k2, int n) = args.TransposeB ? (b.Layout[2], b.Layout[1]) : (b.Layout[1], b.Layout[2]);
            fits = k2 == k && y.Layout[0] == rows && y.Layout[1] == n;
        }

        if (!fits)
        {
            Checks.Throw(Op, $"a is {a}, b is {b}, y is {y}, expected {(args.PerGroupOutput ? "[R, K], [R, N], [E, K, N]" : args.TransposeB ? "[R, K], [E, N, K], [R, N]" : "[R, K], [E, K, N], [R, N]")}");
        }

        Checks.Integers(Op, "offsets", args.Offsets, groups + 1);
    }

    // A product of 16 bits may leave the activations: a gradient of parameters.
    private static void Product(string op, in View a, in View b, in View y, bool weights)
    {
        Checks.Writable(op, "y", y);
        Checks.Real(op, "a", a);
        Checks.LikeOrSum(op, "y", y, a);
        if (weights && !b.IsNone && IsStored(b, a))
        {
            Stored(op, "b", b);
        }
        else
        {
            Checks.Like(op, "b", b, a);
        }
    }

    /// <summary>Whether weights have a type of files beside single precision.</summary>
    public static bool IsStored(in View weights, in View x) => x.Type == DType.Float32 && (weights.Type.Is16Bit() || weights.Type.IsBlocks());

    // Rows of weights: whole blocks, their elements one after the other.
    private static void Stored(string op, string name, in View x)
    {
        Checks.Inside(op, name, x);
        bool fits = x.Layout.Rank > 1 && x.Layout.Stride(-1) == 1;
        for (int i = 0; x.Type.IsBlocks() && i < x.Layout.Rank - 1; i++)
        {
            fits &= x.Layout.Stride(i) % DTypeExtensions.BlockValues == 0;
        }

        if (!fits || (x.Type.IsBlocks() && x.Layout[-1] % DTypeExtensions.BlockValues != 0))
        {
            Checks.Throw(op, $"{name} is {x}, expected rows of whole blocks whose elements are adjacent");
        }
    }

    private static bool Converts(DType type) => type == DType.Float32 || type.Is16Bit();

    private static void Rows(string op, in View table, in View ids, in View rows, string name)
    {
        Checks.Rank(op, "table", table, 2);
        if (rows.Layout.Rank < 1 || rows.Layout[-1] != table.Layout[1])
        {
            Checks.Throw(op, $"{name} is {rows}, expected rows of {table.Layout[1]} as in table {table}");
        }

        Checks.Integers(op, "ids", ids, rows.Layout.Rows);
    }

    private static bool LeadingFit(in View x, in View y)
    {
        int missing = y.Layout.Rank - x.Layout.Rank;
        if (missing < 0)
        {
            return false;
        }

        for (int i = 0; i < x.Layout.Rank - 2; i++)
        {
            if (x.Layout[i] != 1 && x.Layout[i] != y.Layout[i + missing])
            {
                return false;
            }
        }

        return true;
    }
}
