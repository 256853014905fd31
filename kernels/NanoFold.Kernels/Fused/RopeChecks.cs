namespace NanoFold.Kernels.Fused;

/// <summary>What rope asks of its operands on every backend.</summary>
internal static class RopeChecks
{
    public static void Apply(string op, in View x, in View y, in View table, in View positions)
    {
        RowCheck.Rows(op, "x", x);
        Checks.Rank(op, "x", x, 4);
        RowCheck.Output(op, "y", y, x);
        int batch = x.Layout[0], time = x.Layout[1], headDim = x.Layout[3];
        if (headDim % 2 != 0)
        {
            RowCheck.Fail(op, "x", x, "an even last dimension");
        }

        RowCheck.Matrix(op, "table", table);
        if (table.Type != x.Type.Sum() || table.Layout[1] != headDim || (positions.IsNone && table.Layout[0] < time))
        {
            RowCheck.Fail(op, "table", table, $"{x.Type.Sum()}[positions, {headDim}] with a row for each of {time} positions");
        }

        if (!positions.IsNone)
        {
            Checks.Integers(op, "positions", positions, batch);
        }
    }
}
