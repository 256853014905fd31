using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>y = the largest element of x along one axis, and where it lies. What is not a number counts as the largest; among equals the smaller index wins.</summary>
/// <param name="X">[.., L, ..].</param>
/// <param name="Y">[.., 1, ..].</param>
/// <param name="Indices">Int32 [.., 1, ..], or none.</param>
/// <param name="Axis">Which dimension.</param>
public readonly record struct MaximumCall(View X, View Y, View Indices, int Axis) : IKernelCall<MaximumCall>
{
    public static string Name => "maximum";

    public KernelCost Cost => new(X.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.Real(Name, "x", X);
        AxisChecks.Output(Name, "y", Y, X, Axis, 1, X.Type);
        if (!Indices.IsNone)
        {
            AxisChecks.Output(Name, "indices", Indices, X, Axis, 1, DType.Int32);
        }
    }

    public MaximumCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { X = visitor.Visit("x", X, Access.Read), Y = visitor.Visit("y", Y, Access.Write), Indices = visitor.Visit("indices", Indices, Access.Write) };
}

/// <summary>
/// y_t = Σ x_s along one axis, over s ≤ t, or s &lt; t where it is exclusive; in reverse over s ≥ t, or s &gt; t. The gradient is the same sum the other way.
/// </summary>
/// <param name="X">[.., L, ..].</param>
/// <param name="Y">The same shape; not x itself.</param>
/// <param name="Axis">Which dimension.</param>
/// <param name="Exclusive">Leaves the own element out.</param>
/// <param name="Reverse">Sums what follows.</param>
/// <param name="Accumulate">Whether y is added to.</param>
public readonly record struct CumulativeSumCall(View X, View Y, int Axis, bool Exclusive, bool Reverse, bool Accumulate) : IKernelCall<CumulativeSumCall>
{
    public static string Name => "cumulative-sum";

    public KernelCost Cost => new(X.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.Real(Name, "x", X);
        AxisChecks.Output(Name, "y", Y, X, Axis, X.Layout[Axis], X.Type);
    }

    public CumulativeSumCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { X = visitor.Visit("x", X, Access.Read), Y = visitor.Visit("y", Y, Operands.Result(Accumulate)) };
}

/// <summary>y[.., j, ..] = x[.., indices[.., j, ..], ..] along one axis; 0 where there is no such element.</summary>
/// <param name="X">[.., L, ..].</param>
/// <param name="Indices">Int32 [.., k, ..].</param>
/// <param name="Y">[.., k, ..].</param>
/// <param name="Axis">Which dimension.</param>
/// <param name="Accumulate">Whether y is added to.</param>
public readonly record struct TakeAlongCall(View X, View Indices, View Y, int Axis, bool Accumulate) : IKernelCall<TakeAlongCall>
{
    public static string Name => "take-along";

    public KernelCost Cost => new(0, Operands.Bytes(this with { X = Y }));

    public void Check()
    {
        Checks.Real(Name, "x", X);
        AxisChecks.Beside(Name, "indices", Indices, X, Axis, Indices.IsNone ? 1 : Indices.Layout[Axis], DType.Int32);
        AxisChecks.Output(Name, "y", Y, X, Axis, Indices.Layout[Axis], X.Type);
    }

    public TakeAlongCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { X = visitor.Visit("x", X, Access.Read), Indices = visitor.Visit("indices", Indices, Access.Read), Y = visitor.Visit("y", Y, Operands.Result(Accumulate)) };
}

/// <summary>
/// y = 0 but for y[.., indices[.., j, ..], ..] += x[.., j, ..] along one axis, in the order of j: the gradient of <see cref="TakeAlongCall"/>.
/// An index of no element is passed over.
/// </summary>
/// <param name="X">[.., k, ..].</param>
/// <param name="Indices">Int32 [.., k, ..].</param>
/// <param name="Y">[.., L, ..].</param>
/// <param name="Axis">Which dimension.</param>
/// <param name="Accumulate">Whether y is added to, not begun at 0.</param>
public readonly record struct PlaceAlongCall(View X, View Indices, View Y, int Axis, bool Accumulate) : IKernelCall<PlaceAlongCall>
{
    public static string Name => "place-along";

    public KernelCost Cost => new(X.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.Real(Name, "x", X);
        AxisChecks.Beside(Name, "indices", Indices, X, Axis, X.Layout[Axis], DType.Int32);
        AxisChecks.Output(Name, "y", Y, X, Axis, Y.IsNone ? 1 : Y.Layout[Axis], X.Type);
    }

    public PlaceAlongCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { X = visitor.Visit("x", X, Access.Read), Indices = visitor.Visit("indices", Indices, Access.Read), Y = visitor.Visit("y", Y, Operands.Result(Accumulate)) };
}

/// <summary>What calls along an axis ask of their operands.</summary>
internal static class AxisChecks
{
    /// <summary>Of a type, and of the shape of <paramref name="x"/> but for <paramref name="length"/> along the axis.</summary>
    public static void Beside(string op, string name, in View view, in View x, int axis, int length, DType type)
    {
        Checks.Inside(op, name, view);
        bool fits = view.Type == type && view.Layout.Rank == x.Layout.Rank && axis >= 0 && axis < x.Layout.Rank;
        for (int i = 0; fits && i < x.Layout.Rank; i++)
        {
            fits = view.Layout[i] == (i == axis ? length : x.Layout[i]);
        }

        if (!fits)
        {
            RowCheck.Fail(op, name, view, $"{type} of the shape of {x} but for {length} along axis {axis}");
        }
    }

    /// <summary>As <see cref="Beside"/>, and written to.</summary>
    public static void Output(string op, string name, in View view, in View x, int axis, int length, DType type)
    {
        Beside(op, name, view, x, axis, length, type);
        Checks.Writable(op, name, view);
    }
}
