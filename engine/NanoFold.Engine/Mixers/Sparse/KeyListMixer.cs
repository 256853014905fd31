using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>Attention in which each query first keeps some of the keys that it sees, by score, and then attends to these alone.</summary>
public abstract class KeyListMixer(ModuleBuilder builder, HeadShape shape) : AttentionMixer(builder, shape)
{
    private readonly int _layer = builder.Layer;

    public override IReadOnlyList<TapPoint> TapPoints => [.. base.TapPoints, new("attn.hook_kept", $"B T {KeptLists} {MostKept}") { IsReadOnly = true }];

    protected override bool HasScores => false;

    protected override bool RoundsCache => false;

    /// <summary>Keys, or blocks of them, that a list of the training pass has room for.</summary>
    protected abstract int MostKept { get; }

    /// <summary>Lists of a query: one for each head.</summary>
    protected virtual int KeptLists => Shape.Heads;

    /// <summary>The keys that queries keep, of a batch or of new tokens over a cache.</summary>
    /// <param name="context">Of the pass.</param>
    /// <param name="input">What the layer works on; its keys are those of the cache while decoding.</param>
    /// <returns>None where queries attend to all that they see.</returns>
    protected abstract KeyList Keep(ForwardContext context, AttentionInput input);

    /// <summary>Attends to what was kept, outside of decoding and without the weights written out.</summary>
    protected virtual Tensor Fused(ForwardContext context, AttentionInput input, KeyList kept) => kept.IsNone
        ? AttentionOp.Record(context.Tape, input.Q, input.K, input.V, Scale, Seen(context))
        : KeyListAttentionOp.Record(context.Tape, input.Q, input.K, input.V, kept, Scale, Seen(context));

    protected sealed override Tensor Attend(ForwardContext context, AttentionInput input)
    {
        Tape tape = context.Tape;
        if (context.Cache is { } cache)
        {
            Tap.RefuseWhileDecoding(tape, "hook_pattern");
            return Cached(context, input, new AttentionCache(cache.Use(tape, _layer, "keys"), cache.Use(tape, _layer, "values")));
        }

        KeyList kept = Keep(context, input);
        ListTap.Show(tape, "hook_kept", kept.Lists);
        Tensor edited = Tap.At(
            tape, "hook_pattern",
            () => AttentionOp.Pattern(tape, input.Q, input.K, Scale, Seen(context), kept),
            rows => PatternRowsOp.Record(tape, input.Q, input.K, rows, Scale, Seen(context), kept));
        return edited.IsNone ? Fused(context, input, kept) : AttentionOp.Weigh(tape, edited, input.V);
    }

    protected override Tensor Cached(ForwardContext context, AttentionInput input, AttentionCache cache)
    {
        Tape tape = context.Tape;
        Tensor keys = CacheAppendOp.Record(tape, input.K, cache.Keys, context.Positions, context.Counts);
        Tensor values = CacheAppendOp.Record(tape, input.V, cache.Values, context.Positions, context.Counts);
        KeyList kept = Keep(context, input with { K = keys, V = values });
        ListTap.Show(tape, "hook_kept", kept.Lists);
        return KeyListAttentionOp.Record(tape, input.Q, keys, values, kept, Scale, Seen(context), context.Positions, context.Counts);
    }
}
