namespace NanoFold.Kernels.Calls.Time;

/// <summary>What calls that walk along time ask of the operands that they share.</summary>
internal static class TimeChecks
{
    /// <summary>A tensor [B, T, C] whose rows have stride 1.</summary>
    public static void Sequence(string op, string name, in View x)
    {
        RowCheck.Rows(op, name, x);
        Checks.Rank(op, name, x, 3);
    }

    /// <summary>A factor [B, T, C] of <paramref name="x"/>, any dimension broadcast, the channels otherwise of stride 1.</summary>
    public static void Factor(string op, string name, in View a, in View x)
    {
        Checks.Broadcasts(op, name, a, x);
        Checks.Rank(op, name, a, 3);
        if (a.Layout[2] > 1 && a.Layout.Stride(2) > 1)
        {
            RowCheck.Fail(op, name, a, "channels of stride 1, or one for all");
        }
    }

    /// <summary>1 where a place goes on from the one before, 0 where a row or a document begins: [B, T] of x's type, or none.</summary>
    public static void Continues(string op, in View continues, in View x)
    {
        if (!continues.IsNone)
        {
            RowCheck.Vector(op, "continues", continues, x.Type, (long)x.Layout[0] * x.Layout[1]);
        }
    }

    /// <summary>Int32 [B], or none.</summary>
    public static void Counts(string op, in View counts, in View x)
    {
        if (!counts.IsNone)
        {
            Checks.Integers(op, "counts", counts, x.Layout[0]);
        }
    }

    /// <summary>A state [B, width], contiguous, of x's type or that of its sums; or none.</summary>
    public static void State(string op, string name, in View state, in View x, int width)
    {
        if (!state.IsNone)
        {
            Checks.LikeOrSum(op, name, state, x);
            RowCheck.Vector(op, name, state, state.Type, (long)x.Layout[0] * width);
        }
    }

    /// <summary>A result like <paramref name="x"/>, or none.</summary>
    public static void OptionalOutput(string op, string name, in View y, in View x)
    {
        if (!y.IsNone)
        {
            RowCheck.Output(op, name, y, x);
        }
    }

    /// <summary>A weight [C, K] of a convolution over the channels of <paramref name="x"/>, contiguous.</summary>
    public static void Taps(string op, string name, in View weight, in View x, DType type)
    {
        Checks.Inside(op, name, weight);
        if (weight.Layout.Rank != 2 || weight.Layout[0] != x.Layout[2] || weight.Type != type || !weight.Layout.IsContiguous)
        {
            RowCheck.Fail(op, name, weight, $"{type}[{x.Layout[2]}, K], contiguous");
        }
    }

    /// <summary>[B, T, G · N] beside h [B, T, N].</summary>
    public static void Gates<TCell>(string op, string name, in View x, in View h)
        where TCell : struct, IRecurrentCell
    {
        Sequence(op, name, x);
        Checks.Like(op, name, x, h);
        if (x.Layout[0] != h.Layout[0] || x.Layout[1] != h.Layout[1] || x.Layout[2] != TCell.Gates * h.Layout[2])
        {
            RowCheck.Fail(op, name, x, $"[{h.Layout[0]}, {h.Layout[1]}, {TCell.Gates * h.Layout[2]}], {TCell.Gates} gates for h {h}");
        }
    }

    /// <summary>[G · N, D] for h [B, T, N], N a multiple of D.</summary>
    public static void Weight<TCell>(string op, string name, in View weight, in View h, DType type)
        where TCell : struct, IRecurrentCell
    {
        Checks.Inside(op, name, weight);
        int width = h.Layout[2];
        if (weight.Layout.Rank != 2 || weight.Type != type || !weight.Layout.IsContiguous || weight.Layout[0] != TCell.Gates * width || width % weight.Layout[1] != 0)
        {
            RowCheck.Fail(op, name, weight, $"{type}[{TCell.Gates * width}, D], contiguous, D a divisor of {width}");
        }
    }
}
