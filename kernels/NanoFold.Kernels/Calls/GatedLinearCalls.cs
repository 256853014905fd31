using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// [gate up] = x [W_gate; W_up]ᵀ (+ bias), and y = f(gate, up) of what was rounded to the type of x: a product that applies a formula to its results in passing.
/// </summary>
/// <param name="X">[N, C].</param>
/// <param name="Weight">[2 F, C]: the rows of gates, then those of what they multiply.</param>
/// <param name="Bias">[2 F] or none.</param>
/// <param name="Gates">Gets [gate up], [N, 2 F].</param>
/// <param name="Y">Gets f(gate, up), [N, F].</param>
/// <param name="Formula">f.</param>
/// <param name="Rounding">As of <see cref="MatMulArgs"/>.</param>
public readonly record struct GatedLinearCall(View X, View Weight, View Bias, View Gates, View Y, GateFormula Formula, OperandRounding Rounding) : IKernelCall<GatedLinearCall>
{
    public static string Name => "gated-linear";

    public static bool HasComposedPath => true;

    public KernelCost Cost => new(2.0 * Gates.Count * X.Layout[1], Operands.Bytes(this));

    public void Check()
    {
        RowCheck.Matrix(Name, "x", X);
        RowCheck.Matrix(Name, "y", Y);
        RowCheck.Matrix(Name, "weight", Weight, X.Type, 2L * Y.Layout[1], X.Layout[1]);
        RowCheck.Matrix(Name, "gates", Gates, X.Type, X.Layout[0], 2L * Y.Layout[1]);
        RowCheck.Matrix(Name, "y", Y, X.Type, X.Layout[0], Y.Layout[1]);
        RowCheck.OptionalVector(Name, "bias", Bias, X.Type, 2L * Y.Layout[1]);
        Checks.Writable(Name, "gates", Gates);
        Checks.Writable(Name, "y", Y);
    }

    public GatedLinearCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("x", X, Access.Read), visitor.Visit("weight", Weight, Access.Read), visitor.Visit("bias", Bias, Access.Read),
            visitor.Visit("gates", Gates, Access.Write), visitor.Visit("y", Y, Access.Write), Formula, Rounding);
}

/// <summary>
/// The gradients of gate and up from that of what a linear layer makes of h = f(gate, up): with dh = dy W, rounded to the type of dy, [dGate dUp] of (gate, up, dh).
/// </summary>
/// <param name="DY">[N, C].</param>
/// <param name="Weight">[C, F], of the layer that reads h.</param>
/// <param name="Gates">[gate up], [N, 2 F].</param>
/// <param name="DGates">Gets [dGate dUp], [N, 2 F].</param>
/// <param name="Accumulate">Whether dGates is added to.</param>
/// <param name="Scratch">For dh where a product of its own computes it.</param>
/// <param name="Formula">f.</param>
/// <param name="Rounding">As of <see cref="MatMulArgs"/>.</param>
public readonly record struct GatedGradientCall(View DY, View Weight, View Gates, View DGates, bool Accumulate, View Scratch, GateFormula Formula, OperandRounding Rounding)
    : IKernelCall<GatedGradientCall>
{
    public static string Name => "gated-gradient";

    public static bool HasComposedPath => true;

    public KernelCost Cost => new(1.0 * Gates.Count * DY.Layout[1], Operands.Bytes(this));

    public void Check()
    {
        RowCheck.Matrix(Name, "dY", DY);
        RowCheck.Matrix(Name, "weight", Weight);
        RowCheck.Matrix(Name, "weight", Weight, DY.Type, DY.Layout[1], Weight.Layout[1]);
        RowCheck.Matrix(Name, "gates", Gates, DY.Type, DY.Layout[0], 2L * Weight.Layout[1]);
        RowCheck.Matrix(Name, "dGates", DGates, DY.Type, DY.Layout[0], 2L * Weight.Layout[1]);
        Checks.Writable(Name, "dGates", DGates);
    }

    public GatedGradientCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("dY", DY, Access.Read), visitor.Visit("weight", Weight, Access.Read), visitor.Visit("gates", Gates, Access.Read),
            visitor.Visit("dGates", DGates, Operands.Result(Accumulate)), Accumulate, visitor.Visit("scratch", Scratch, Access.Scratch), Formula, Rounding);
}

/// <summary>Gates and what they multiply, in rows [gate up].</summary>
public static class GatedParts
{
    /// <summary>A half of the columns, [N, F] of [N, 2 F].</summary>
    /// <param name="both">[N, 2 F].</param>
    /// <param name="half">0 for gates, 1 for what they multiply.</param>
    public static View Of(in View both, int half)
    {
        int columns = both.Layout[1] / 2;
        Layout part = both.Layout.Slice(1, half * columns, columns, out long offset);
        return both.With(part, offset);
    }
}
