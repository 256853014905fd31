using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>What <see cref="IntegerMapCall"/> does with a, b and c; what is asked is 1 where it holds and 0 where not.</summary>
public enum IntegerOperation
{
    /// <summary>a + b.</summary>
    Add,

    /// <summary>a − b.</summary>
    Subtract,

    /// <summary>a · b.</summary>
    Multiply,

    /// <summary>The smaller one.</summary>
    Minimum,

    /// <summary>The larger one.</summary>
    Maximum,

    /// <summary>a &lt; b.</summary>
    Less,

    /// <summary>a = b.</summary>
    Equal,

    /// <summary>a ≠ 0 ? b : c.</summary>
    Select,
}

/// <summary>y = operation(a, b, c), element by element over Int32.</summary>
/// <param name="Operation">What to do.</param>
/// <param name="A">Broadcast to y.</param>
/// <param name="B">Broadcast to y, or none for <paramref name="Number"/>.</param>
/// <param name="C">As b; of no use but for a selection.</param>
/// <param name="Number">Stands for what is none.</param>
/// <param name="Y">May be a, b or c.</param>
public readonly record struct IntegerMapCall(IntegerOperation Operation, View A, View B, View C, int Number, View Y) : IKernelCall<IntegerMapCall>
{
    public static string Name => "integer-map";

    /// <remarks>Integers are no floating-point numbers.</remarks>
    public KernelCost Cost => new(0, Operands.Bytes(this));

    public void Check()
    {
        IntegerChecks.Output(Name, Y);
        Checks.Broadcasts(Name, "a", A, Y);
        if (!B.IsNone)
        {
            Checks.Broadcasts(Name, "b", B, Y);
        }

        if (!C.IsNone)
        {
            Checks.Broadcasts(Name, "c", C, Y);
        }
    }

    public IntegerMapCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            A = visitor.Visit("a", A, Access.Read),
            B = visitor.Visit("b", B, Access.Read),
            C = visitor.Visit("c", C, Access.Read),
            Y = visitor.Visit("y", Y, Access.Write),
        };
}

/// <summary>y[.., i, ..] = start + step · i along one axis, the same for all others.</summary>
/// <param name="Y">Int32.</param>
/// <param name="Axis">Which dimension.</param>
/// <param name="Start">The first number.</param>
/// <param name="Step">From one to the next.</param>
public readonly record struct IntegerRangeCall(View Y, int Axis, int Start, int Step) : IKernelCall<IntegerRangeCall>
{
    public static string Name => "integer-range";

    public KernelCost Cost => new(0, Operands.Bytes(this));

    public void Check()
    {
        IntegerChecks.Output(Name, Y);
        if (Axis < 0 || Axis >= Y.Layout.Rank)
        {
            Checks.Throw(Name, $"y {Y} has no axis {Axis}");
        }
    }

    public IntegerRangeCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { Y = visitor.Visit("y", Y, Access.Write) };
}

/// <summary>y = x between Int32 and a real type, one way or the other; real numbers are cut towards 0.</summary>
/// <param name="X">Broadcast to y.</param>
/// <param name="Y">Of a real type where x is Int32, Int32 where it is not.</param>
public readonly record struct IntegerConversionCall(View X, View Y) : IKernelCall<IntegerConversionCall>
{
    public static string Name => "integer-conversion";

    public KernelCost Cost => new(0, Operands.Bytes(this));

    public void Check()
    {
        Checks.Writable(Name, "y", Y);
        Checks.Inside(Name, "x", X);
        Checks.Fits(Name, "x", X, Y);
        if (X.Type.IsReal() == Y.Type.IsReal())
        {
            Checks.Throw(Name, $"x is {X} and y {Y}, expected one of them in Int32");
        }
    }

    public IntegerConversionCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("x", X, Access.Read), visitor.Visit("y", Y, Access.Write));
}

/// <summary>What calls over integers ask of their result.</summary>
internal static class IntegerChecks
{
    public static void Output(string op, in View y)
    {
        Checks.Writable(op, "y", y);
        if (y.Type != DType.Int32)
        {
            RowCheck.Fail(op, "y", y, "Int32");
        }
    }
}
