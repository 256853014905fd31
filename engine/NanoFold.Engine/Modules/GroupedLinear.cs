using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>
/// One linear layer for each group of rows, such as the tokens of an expert: y[rows of e] = x[rows of e] · W[e]ᵀ. W [E, out, in]. Made by
/// <see cref="ModuleBuilder.GroupedLinear"/> only.
/// </summary>
public abstract class GroupedLinear
{
    /// <summary>E.</summary>
    public abstract int Groups { get; }

    /// <summary>Columns of each W.</summary>
    public abstract int Inputs { get; }

    /// <summary>Rows of each W.</summary>
    public abstract int Outputs { get; }

    /// <summary>W [E, out, in] as it acts, for what reads the matrices themselves.</summary>
    public abstract Tensor Weight(Tape tape);

    /// <summary>x [R, in] to y [R, out].</summary>
    /// <param name="tape">Where it is recorded.</param>
    /// <param name="x">Rows, those of one group together.</param>
    /// <param name="offsets">Where each group's rows begin, and the end: Int32 [E + 1].</param>
    public abstract Tensor Forward(Tape tape, Tensor x, Tensor offsets);
}

/// <summary>Matrices of their own.</summary>
internal sealed class PlainGroupedLinear(Parameter weight) : GroupedLinear
{
    public override int Groups => weight.Layout[0];

    public override int Inputs => weight.Layout[2];

    public override int Outputs => weight.Layout[1];

    public override Tensor Weight(Tape tape) => Linear.Widened(tape, tape.Use(weight));

    public override Tensor Forward(Tape tape, Tensor x, Tensor offsets) => GroupedLinearOp.Record(tape, x, tape.Use(weight), offsets);
}
