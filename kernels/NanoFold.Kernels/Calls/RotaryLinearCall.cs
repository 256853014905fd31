using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// y = x Wᵀ (+ bias), of which the first columns are heads that are then turned by the positions of their rows: a product that applies rotary positions to its results in passing.
/// What is turned is rounded to the type of y before, as if it had been stored.
/// </summary>
public readonly record struct RotaryLinearCall : IKernelCall<RotaryLinearCall>
{
    // A turn is two products and a sum for each element.
    private const int TurnFlops = 3;

    public static string Name => "rotary-linear";

    public static bool HasComposedPath => true;

    /// <summary>[B · T, C].</summary>
    public required View X { get; init; }

    /// <summary>[F, C].</summary>
    public required View Weight { get; init; }

    /// <summary>[F] or none.</summary>
    public View Bias { get; init; }

    /// <summary>[B, T, F], contiguous.</summary>
    public required View Y { get; init; }

    /// <summary>Heads that are turned, and the elements of each.</summary>
    public required int Heads { get; init; }

    public required int HeadDim { get; init; }

    public required HeadRotation Rotation { get; init; }

    /// <summary>As of <see cref="MatMulArgs"/>.</summary>
    public OperandRounding Rounding { get; init; }

    public KernelCost Cost => new((2.0 * Y.Count * X.Layout[1]) + ((double)X.Layout[0] * Heads * Rotation.Width * TurnFlops), Operands.Bytes(this with { Rotation = default }));

    /// <summary>y as rows, [B · T, F].</summary>
    public View Rows => Y.With(Y.Layout.Reshape(X.Layout[0], Y.Layout[2]));

    /// <summary>The part of y that is turned, [B, T, H, D].</summary>
    public View Turned => Y.With(Y.Layout.Slice(2, 0, Heads * HeadDim, out long offset).SplitLast(Heads), offset);

    /// <summary>The product without the turn.</summary>
    public MatMulArgs Product => new() { A = X, B = Weight, TransposeB = true, Bias = Bias, Y = Rows, Rounding = Rounding };

    public void Check()
    {
        RowCheck.Matrix(Name, "x", X);
        RowCheck.Matrix(Name, "weight", Weight);
        RowCheck.Matrix(Name, "weight", Weight, X.Type, Weight.Layout[0], X.Layout[1]);
        int columns = Weight.Layout[0];
        RowCheck.OptionalVector(Name, "bias", Bias, X.Type, columns);
        Checks.Rank(Name, "y", Y, 3);
        RowCheck.Vector(Name, "y", Y, X.Type, (long)X.Layout[0] * columns);
        Checks.Writable(Name, "y", Y);
        if (Y.Layout[2] != columns || Heads < 1 || HeadDim < 1 || (long)Heads * HeadDim > columns || Rotation.Width > HeadDim)
        {
            RowCheck.Fail(Name, "y", Y, $"rows of {columns} that begin with {Heads} heads of {HeadDim}, of which {Rotation.Width} are turned");
        }

        Rotation.InPlace(Turned, inverse: false).Check();
    }

    public RotaryLinearCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Weight = visitor.Visit("weight", Weight, Access.Read),
            Bias = visitor.Visit("bias", Bias, Access.Read),
            Y = visitor.Visit("y", Y, Access.Write),
            Rotation = Rotation.Visit(ref visitor),
        };
}
