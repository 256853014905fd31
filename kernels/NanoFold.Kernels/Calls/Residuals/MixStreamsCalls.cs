using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Residuals;

/// <summary>
/// Streams mixed token by token, and a value spread over them: y_i = Σ_j A_ij x_j + b_i f. N tokens, n streams in and m out, C channels; all contiguous.
/// </summary>
/// <param name="A">[N, m, n], or [m, n] for all tokens, in the type of x or that of its sums.</param>
/// <param name="X">[N, n, C].</param>
/// <param name="B">[N, m], or [m] for all tokens, in the type of A; none where <paramref name="F"/> is.</param>
/// <param name="F">[N, C], or none.</param>
/// <param name="Y">[N, m, C].</param>
public readonly record struct MixStreamsCall(View A, View X, View B, View F, View Y) : IKernelCall<MixStreamsCall>
{
    public static string Name => "mix-streams";

    public KernelCost Cost => new(2.0 * Y.Count * (X.Layout[1] + (F.IsNone ? 0 : 1)), Operands.Bytes(this));

    public void Check()
    {
        MixStreamsChecks.Streams(Name, "x", X);
        MixStreamsChecks.Streams(Name, "y", Y);
        MixStreamsChecks.Operands(Name, A, X, B, F, ("y", Y));
        Checks.Writable(Name, "y", Y);
    }

    public MixStreamsCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("a", A, Access.Read), visitor.Visit("x", X, Access.Read), visitor.Visit("b", B, Access.Read), visitor.Visit("f", F, Access.Read),
            visitor.Visit("y", Y, Access.Write));
}

/// <summary>
/// The gradient of <see cref="MixStreamsCall"/>, each part where it is not none: dx_j = Σ_i A_ij dy_i, df = Σ_i b_i dy_i, dA_ij = ⟨dy_i, x_j⟩, db_i = ⟨dy_i, f⟩.
/// </summary>
/// <param name="A">As there.</param>
/// <param name="X">As there.</param>
/// <param name="B">As there.</param>
/// <param name="F">As there.</param>
/// <param name="DY">[N, m, C].</param>
/// <param name="DX">As x.</param>
/// <param name="AccumulateX">Whether dx is added to.</param>
/// <param name="DF">As f.</param>
/// <param name="AccumulateF">Whether df is added to.</param>
/// <param name="DA">[N, m, n]; not where A is one for all tokens.</param>
/// <param name="AccumulateA">Whether dA is added to.</param>
/// <param name="DB">[N, m]; not where b is one for all tokens.</param>
/// <param name="AccumulateB">Whether db is added to.</param>
public readonly record struct MixStreamsBackwardCall(
    View A, View X, View B, View F, View DY, View DX, bool AccumulateX, View DF, bool AccumulateF, View DA, bool AccumulateA, View DB, bool AccumulateB)
    : IKernelCall<MixStreamsBackwardCall>
{
    public static string Name => "mix-streams-backward";

    public KernelCost Cost => new(
        2.0 * DY.Count * (((DX.IsNone ? 0 : 1) + (DA.IsNone ? 0 : 1)) * (double)X.Layout[1] + (DF.IsNone ? 0 : 1) + (DB.IsNone ? 0 : 1)), Kernels.Operands.Bytes(this));

    public void Check()
    {
        MixStreamsChecks.Streams(Name, "x", X);
        MixStreamsChecks.Streams(Name, "dy", DY);
        MixStreamsChecks.Operands(Name, A, X, B, F, ("dy", DY));
        Gradient("dx", DX, X);
        Gradient("df", DF, F);
        Gradient("dA", DA, A);
        Gradient("db", DB, B);
        if ((!DA.IsNone && A.Layout.Rank != 3) || (!DB.IsNone && B.Layout.Rank != 2))
        {
            Checks.Throw(Name, "coefficients that are one for all tokens have no gradient");
        }
    }

    public MixStreamsBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("a", A, Access.Read), visitor.Visit("x", X, Access.Read), visitor.Visit("b", B, Access.Read), visitor.Visit("f", F, Access.Read),
            visitor.Visit("dy", DY, Access.Read), visitor.Visit("dx", DX, Kernels.Operands.Result(AccumulateX)), AccumulateX,
            visitor.Visit("df", DF, Kernels.Operands.Result(AccumulateF)), AccumulateF, visitor.Visit("dA", DA, Kernels.Operands.Result(AccumulateA)), AccumulateA,
            visitor.Visit("db", DB, Kernels.Operands.Result(AccumulateB)), AccumulateB);

    private static void Gradient(string name, in View gradient, in View value)
    {
        if (!gradient.IsNone)
        {
            RowCheck.Vector(Name, name, gradient, value.Type, value.Count);
            Checks.Writable(Name, name, gradient);
        }
    }
}

internal static class MixStreamsChecks
{
    /// <summary>A contiguous real [N, n, C].</summary>
    public static void Streams(string op, string name, in View view)
    {
        Checks.Real(op, name, view);
        if (view.Layout.Rank != 3 || !view.Layout.IsContiguous)
        {
            RowCheck.Fail(op, name, view, "contiguous [N, n, C]");
        }
    }

    public static void Operands(string op, in View a, in View x, in View b, in View f, (string Name, View View) y)
    {
        int tokens = x.Layout[0], inputs = x.Layout[1], outputs = y.View.Layout[1], width = x.Layout[2];
        if (y.View.Type != x.Type || y.View.Layout[0] != tokens || y.View.Layout[2] != width)
        {
            RowCheck.Fail(op, y.Name, y.View, $"{x.Type}[{tokens}, m, {width}] as {x} is");
        }

        Checks.LikeOrSum(op, "a", a, x);
        RowCheck.Vector(op, "a", a, a.Type, (long)(a.Layout.Rank == 3 ? tokens : 1) * outputs * inputs);
        if (f.IsNone != b.IsNone)
        {
            Checks.Throw(op, "b and f come together");
        }

        if (!f.IsNone)
        {
            RowCheck.Vector(op, "f", f, x.Type, (long)tokens * width);
            RowCheck.Vector(op, "b", b, a.Type, (long)(b.Layout.Rank == 2 ? tokens : 1) * outputs);
        }
    }
}
