using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules.Adapters;

/// <summary>A layer with what is put around it, or the layer alone where a tape records without adapters.</summary>
internal sealed class SwitchedLinear(Linear layer, Linear adapted) : Linear
{
    public override int Inputs => adapted.Inputs;

    public override int Outputs => adapted.Outputs;

    public override bool IsMatrix => layer.IsMatrix && adapted.IsMatrix;

    public override Tensor Weight(Tape tape) => On(tape).Weight(tape);

    public override Tensor Bias(Tape tape) => On(tape).Bias(tape);

    public override Tensor Forward(Tape tape, Tensor x, int start, int rows) => On(tape).Forward(tape, x, start, rows);

    internal override PlainLinear? PlainOn(Tape tape) => On(tape).PlainOn(tape);

    private Linear On(Tape tape) => tape.IsWithoutAdapters ? layer : adapted;
}

/// <summary>The same of matrices of groups of rows.</summary>
internal sealed class SwitchedGroups(GroupedLinear layer, GroupedLinear adapted) : GroupedLinear
{
    public override int Groups => adapted.Groups;

    public override int Inputs => adapted.Inputs;

    public override int Outputs => adapted.Outputs;

    public override Tensor Weight(Tape tape) => On(tape).Weight(tape);

    public override Tensor Forward(Tape tape, Tensor x, Tensor offsets) => On(tape).Forward(tape, x, offsets);

    private GroupedLinear On(Tape tape) => tape.IsWithoutAdapters ? layer : adapted;
}

/// <summary>The same of the vectors of tokens.</summary>
internal sealed class SwitchedEmbedding(Embedding layer, Embedding adapted) : Embedding
{
    public override int Tokens => adapted.Tokens;

    public override int Width => adapted.Width;

    public override Parameter Own => layer.Own;

    public override Tensor Weight(Tape tape) => On(tape).Weight(tape);

    public override Tensor Forward(Tape tape, Tensor tokens) => On(tape).Forward(tape, tokens);

    private Embedding On(Tape tape) => tape.IsWithoutAdapters ? layer : adapted;
}
