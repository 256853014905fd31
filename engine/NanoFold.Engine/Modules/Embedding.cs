using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>
/// The vectors of tokens, a table [V, C] in which they are looked up. Made by <see cref="ModuleBuilder.Embedding"/> only, so that what stands in a model may be more than
/// a table.
/// </summary>
public abstract class Embedding
{
    /// <summary>V.</summary>
    public abstract int Tokens { get; }

    /// <summary>C.</summary>
    public abstract int Width { get; }

    /// <summary>The table without what is put around it, which a tied head reads.</summary>
    public abstract Parameter Own { get; }

    /// <summary>The table [V, C] as it acts.</summary>
    public abstract Tensor Weight(Tape tape);

    /// <summary>Tokens Int32 [..] to their vectors [.., C].</summary>
    public abstract Tensor Forward(Tape tape, Tensor tokens);
}

/// <summary>A table of its own.</summary>
internal sealed class PlainEmbedding(Parameter weight) : Embedding
{
    public override int Tokens => weight.Layout[0];

    public override int Width => weight.Layout[1];

    public override Parameter Own => weight;

    public override Tensor Weight(Tape tape) => Linear.Widened(tape, tape.Use(weight));

    public override Tensor Forward(Tape tape, Tensor tokens) => EmbeddingOp.Record(tape, tape.Use(weight), tokens);
}
