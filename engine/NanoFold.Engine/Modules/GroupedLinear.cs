using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>
/// One linear layer for each group of rows, such as the tokens of an expert: y[rows of e] = x[rows of e] · W[e]ᵀ (+ b[e]). W [E, out, in], b [E, out]. Made by
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

/// <summary>Matrices of their own, and biases where there are some.</summary>
/// <param name="weight">W.</param>
/// <param name="bias">b, or null.</param>
/// <param name="one">The number 1 [1, 1], where there are biases: a bias is the matrix of an input that is 1.</param>
internal sealed class PlainGroupedLinear(Parameter weight, Parameter? bias, Table? one) : GroupedLinear
{
    public override int Groups => weight.Layout[0];

    public override int Inputs => weight.Layout[2];

    public override int Outputs => weight.Layout[1];

    public override Tensor Weight(Tape tape) => Linear.Widened(tape, tape.Use(weight));

    public override Tensor Forward(Tape tape, Tensor x, Tensor offsets)
    {
        Tensor y = GroupedLinearOp.Record(tape, x, tape.Use(weight), offsets);
        return bias is null ? y : AddOp.Record(tape, y, GroupedLinearOp.Record(tape, BroadcastOp.Record(tape, tape.Use(one!), x[0], 1), Linear.Widened(tape, tape.Use(bias)).Reshape(Groups, Outputs, 1), offsets));
    }
}
