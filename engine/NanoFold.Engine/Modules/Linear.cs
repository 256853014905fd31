using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>
/// y = x Wᵀ (+ b). W [out, in], as Hugging Face stores it. Made by <see cref="ModuleBuilder.Linear"/> only, so that what stands in a model may be more than its own
/// matrix.
/// </summary>
public abstract class Linear
{
    /// <summary>Columns of W.</summary>
    public abstract int Inputs { get; }

    /// <summary>Rows of W.</summary>
    public abstract int Outputs { get; }

    /// <summary>W [out, in] as it acts, for what reads the matrix itself; a gradient flows to whatever it is made of.</summary>
    public abstract Tensor Weight(Tape tape);

    /// <summary>The same for products and look-ups of rows, which read it in whatever type it is stored.</summary>
    public virtual Tensor Stored(Tape tape) => Weight(tape);

    /// <summary>b [out], none where there is no bias.</summary>
    public abstract Tensor Bias(Tape tape);

    /// <summary>Whether y is x Wᵀ of <see cref="Weight"/> and nothing more, so that the matrix may be used in the layer's place.</summary>
    public virtual bool IsMatrix => false;

    /// <summary>x [.., in] to y [.., out].</summary>
    public Tensor Forward(Tape tape, Tensor x) => Forward(tape, x, 0, Outputs);

    /// <summary>The part of y that some rows of W give: x [.., in] to [.., rows].</summary>
    /// <param name="tape">Where it is recorded.</param>
    /// <param name="x">[.., in].</param>
    /// <param name="start">The first row.</param>
    /// <param name="rows">How many there are.</param>
    public abstract Tensor Forward(Tape tape, Tensor x, int start, int rows);

    /// <summary>The layer where on this tape it is a matrix of its own, with or without a bias, and nothing more.</summary>
    internal virtual PlainLinear? PlainOn(Tape tape) => null;

    /// <summary>Weights in the type of activations, where they are stored in another.</summary>
    internal static Tensor Widened(Tape tape, Tensor stored) => stored.Type == tape.Type ? stored : BroadcastOp.Record(tape, stored, stored.Layout.ToShape());

    /// <summary>Some rows of a matrix, or some elements of a bias; itself where that is all of them.</summary>
    protected static Tensor Rows(Tensor of, int start, int rows) => of[0] == rows ? of : of.Slice(0, start, rows);
}

/// <summary>A matrix of its own, and a bias where it has one.</summary>
internal sealed class PlainLinear(Parameter weight, Parameter? bias) : Linear
{
    public override int Inputs => weight.Layout[1];

    public override int Outputs => weight.Layout[0];

    public override bool IsMatrix => bias is null;

    public Parameter WeightParameter => weight;

    public Parameter? BiasParameter => bias;

    internal override PlainLinear? PlainOn(Tape tape) => this;

    // As activations are, for ops that read nothing else.
    public override Tensor Weight(Tape tape) => Widened(tape, Stored(tape));

    public override Tensor Stored(Tape tape) => tape.Use(weight);

    public override Tensor Bias(Tape tape) => bias is null ? default : tape.Use(bias);

    public override Tensor Forward(Tape tape, Tensor x, int start, int rows) =>
        LinearOp.Record(tape, x, Rows(tape.Use(weight), start, rows), bias is null ? default : Rows(tape.Use(bias), start, rows));
}
