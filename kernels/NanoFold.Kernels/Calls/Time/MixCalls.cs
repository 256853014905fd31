using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// Some rows of matrices over time as far as places see each other: y[b, g, i, s] = mix[g, first + i, s] for s from the last beginning at or before place first + i
/// up to that place, 0 elsewhere.
/// </summary>
public readonly record struct MixRowsCall : IKernelCall<MixRowsCall>
{
    public static string Name => "mix-rows";

    /// <summary>[G, M, M].</summary>
    public required View Mix { get; init; }

    /// <summary>[B, G, R, S], contiguous, S = First + R; B is 1 where nothing begins within a row.</summary>
    public required View Y { get; init; }

    /// <summary>The place of the first row.</summary>
    public required int First { get; init; }

    /// <summary>[B, T] of y's type, contiguous: 0 where a row or a document begins, 1 elsewhere; or none.</summary>
    public View Continues { get; init; }

    public KernelCost Cost => new(0, MixChecks.Bytes(Y, Mix));

    public void Check() => MixChecks.Rows(Name, "y", Y, "mix", Mix, Mix.Type, First, Continues);

    public MixRowsCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { Mix = visitor.Visit("mix", Mix, Access.Read), Y = visitor.Visit("y", Y, Access.Write), Continues = visitor.Visit("continues", Continues, Access.Read) };
}

/// <summary>The gradient of <see cref="MixRowsCall"/>: dMix[g, first + i, s] += Σ_b dy[b, g, i, s] where they see each other.</summary>
public readonly record struct MixRowsBackwardCall : IKernelCall<MixRowsBackwardCall>
{
    public static string Name => "mix-rows-backward";

    /// <summary>[B, G, R, S], contiguous; every row of the batch, whether anything begins within one or not.</summary>
    public required View DY { get; init; }

    /// <summary>[G, M, M] of the type of sums; added to.</summary>
    public required View DMix { get; init; }

    public required int First { get; init; }

    public View Continues { get; init; }

    public KernelCost Cost => new(DY.Count, MixChecks.Bytes(DY, DMix));

    public void Check() => MixChecks.Rows(Name, "dy", DY, "dMix", DMix, DY.Type.Sum(), First, Continues);

    public MixRowsBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            DY = visitor.Visit("dy", DY, Access.Read), DMix = visitor.Visit("dMix", DMix, Access.Update), Continues = visitor.Visit("continues", Continues, Access.Read),
        };
}

/// <summary>
/// Decoding with matrices over time: appends the new values to a cache and mixes over it, y[b, t, c] = Σ_s mix[g, p, s] cache[b, s, c] over s ≤ p with p = positions[b] + t
/// and g the group of channel c. No gradient.
/// </summary>
public readonly record struct MixStepCall : IKernelCall<MixStepCall>
{
    public static string Name => "mix-step";

    /// <summary>[G, M, M].</summary>
    public required View Mix { get; init; }

    /// <summary>New values, [B, T, C], C a multiple of G.</summary>
    public required View V { get; init; }

    /// <summary>[B, M, C], contiguous.</summary>
    public required View Cache { get; init; }

    /// <summary>Position of each row's first new token, Int32 [B].</summary>
    public required View Positions { get; init; }

    /// <summary>New tokens of each row, Int32 [B].</summary>
    public required View Counts { get; init; }

    /// <summary>[B, T, C]. Places from Counts[b] on become 0.</summary>
    public required View Y { get; init; }

    /// <remarks>As with a full cache.</remarks>
    public KernelCost Cost => new(2.0 * V.Count * Cache.Layout[1], Operands.Bytes(this));

    public void Check()
    {
        TimeChecks.Sequence(Name, "v", V);
        RowCheck.Output(Name, "y", Y, V);
        MixChecks.Square(Name, "mix", Mix, V.Type);
        RowCheck.Vector(Name, "cache", Cache, V.Type, (long)V.Layout[0] * Mix.Layout[1] * V.Layout[2]);
        Checks.Integers(Name, "positions", Positions, V.Layout[0]);
        Checks.Integers(Name, "counts", Counts, V.Layout[0]);
        if (V.Layout[2] % Mix.Layout[0] != 0)
        {
            RowCheck.Fail(Name, "v", V, $"channels in {Mix.Layout[0]} groups");
        }
    }

    public MixStepCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Mix = visitor.Visit("mix", Mix, Access.Read),
            V = visitor.Visit("v", V, Access.Read),
            Cache = visitor.Visit("cache", Cache, Access.Update),
            Positions = visitor.Visit("positions", Positions, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
            Y = visitor.Visit("y", Y, Access.Write),
        };
}

/// <summary>What these calls ask of their operands.</summary>
internal static class MixChecks
{
    /// <summary>[G, M, M] with rows of stride 1.</summary>
    public static void Square(string op, string name, in View mix, DType type)
    {
        TimeChecks.Sequence(op, name, mix);
        if (mix.Layout[1] != mix.Layout[2] || mix.Type != type)
        {
            RowCheck.Fail(op, name, mix, $"{type}[G, M, M]");
        }
    }

    public static void Rows(string op, string rowsName, in View rows, string mixName, in View mix, DType type, int first, in View continues)
    {
        Square(op, mixName, mix, type);
        Checks.Real(op, rowsName, rows);
        Checks.Rank(op, rowsName, rows, 4);
        RowCheck.Vector(op, rowsName, rows, rows.Type, rows.Count);
        if (first < 0 || rows.Layout[1] != mix.Layout[0] || rows.Layout[3] != first + rows.Layout[2] || rows.Layout[3] > mix.Layout[1])
        {
            RowCheck.Fail(op, rowsName, rows, $"[B, {mix.Layout[0]}, R, {first} + R], no longer than {mix.Layout[1]}");
        }

        if (!continues.IsNone)
        {
            RowCheck.Vector(op, "continues", continues, rows.Type, continues.Count);
            Checks.Rank(op, "continues", continues, 2);
            if (continues.Layout[0] != rows.Layout[0] || continues.Layout[1] < rows.Layout[3])
            {
                RowCheck.Fail(op, "continues", continues, $"[{rows.Layout[0]}, {rows.Layout[3]} or more]");
            }
        }
    }

    /// <summary>Of the matrices only these rows are touched.</summary>
    public static double Bytes(in View rows, in View mix) => KernelCost.BytesOf(rows) + (double)rows.Count / rows.Layout[0] * mix.Type.Size();
}
