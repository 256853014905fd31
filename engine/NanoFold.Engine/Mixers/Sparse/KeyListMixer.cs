using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>Attention in which each query first keeps some of the keys that it sees, by score, and then attends to these alone.</summary>
internal abstract class KeyListMixer(ModuleBuilder builder, HeadShape shape) : AttentionMixer(builder, shape)
{
    /// <summary>The keys that queries of the batch keep.</summary>
    protected abstract KeyList Keep(ForwardContext context, AttentionInput input);

    protected override Tensor Pattern(ForwardContext context, AttentionInput input) =>
        AttentionOp.Pattern(context.Tape, input.Q, input.K, Scale, Seen(context), Keep(context, input));

    protected override Tensor PatternRows(ForwardContext context, AttentionInput input, Tensor rows) =>
        PatternRowsOp.Record(context.Tape, input.Q, input.K, rows, Scale, Seen(context), Keep(context, input));

    protected override Tensor Fused(ForwardContext context, AttentionInput input) =>
        KeyListAttentionOp.Record(context.Tape, input.Q, input.K, input.V, Keep(context, input), Scale, Seen(context));
}
