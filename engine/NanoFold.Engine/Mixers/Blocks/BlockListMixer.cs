using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>Mixers whose queries see some blocks of keys; blocks are counted from the first token of a row.</summary>
public abstract record BlockFamilyConfig : AttentionFamilyConfig
{
    /// <summary>Largest block that is taken where none is asked for.</summary>
    private const int UsualBlock = 64;

    /// <summary>Keys of a block; 0 for a sixteenth of the context, 64 at most.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int Block { get; init; }

    /// <summary>Blocks begin where a row does, whatever stands there.</summary>
    public override MixerTraits Traits(ModelShape model) => base.Traits(model) with { IsShiftInvariant = false, FollowsVisibility = false };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        if (Block > model.Context)
        {
            yield return new ConfigProblem($"{path}.block", $"{Block} is more than model.context = {model.Context}");
        }
    }

    /// <summary>Keys of a block in a model.</summary>
    protected int BlockFor(ModelShape model) => Block > 0 ? Block : Math.Clamp(model.Context / 16, 1, UsualBlock);

    /// <summary>Blocks of the context.</summary>
    protected int BlocksOf(ModelShape model) => (model.Context + BlockFor(model) - 1) / BlockFor(model);

    /// <summary>What there is to say of a number of blocks.</summary>
    protected IEnumerable<ConfigProblem> CheckBlocks(ModelShape model, string path, int blocks)
    {
        if (Block <= model.Context && blocks > BlocksOf(model))
        {
            yield return new ConfigProblem(path, $"{blocks} is more than the {BlocksOf(model)} blocks of {BlockFor(model)} in model.context = {model.Context}");
        }
    }
}

/// <summary>Attention in which each query has a list of key blocks. A variant says which.</summary>
public abstract class BlockListMixer(ModuleBuilder builder, HeadShape shape, int block) : AttentionMixer(builder, shape)
{
    private readonly int _layer = builder.Layer;

    /// <summary>Keys of a block.</summary>
    protected int Block => block;

    protected override bool HasScores => false;

    protected override bool RoundsCache => false;

    protected override Tensor Attend(ForwardContext context, AttentionInput input)
    {
        Tape tape = context.Tape;
        (Tensor q, Tensor k, Tensor v) = (input.Q, input.K, input.V);
        if (context.Cache is not null)
        {
            Tap.RefuseWhileDecoding(tape, "hook_pattern");
            return CachedAttentionOp.Record(tape, q, k, v, new AttentionCache(Slot(context, "keys"), Slot(context, "values")), context.Positions, context.Counts, Scale, Listed(context, input));
        }

        Visibility seen = Listed(context, input);
        Tensor edited = Tap.At(tape, "hook_pattern", () => AttentionOp.Pattern(tape, q, k, Scale, seen), rows => PatternRowsOp.Record(tape, q, k, rows, Scale, seen));
        return edited.IsNone ? AttentionOp.Record(tape, q, k, v, Scale, seen) : AttentionOp.Weigh(tape, edited, v);
    }

    /// <summary>What each query of the batch sees, or each new token.</summary>
    protected abstract Visibility Listed(ForwardContext context, AttentionInput input);

    /// <summary>A piece of the layer's memory, while decoding.</summary>
    protected Tensor Slot(ForwardContext context, string name) => context.Cache!.Use(context.Tape, _layer, name);

    /// <summary>Causal order, documents and the lists given.</summary>
    protected Visibility Causal(ForwardContext context, (Tensor Lists, Tensor Lengths) blocks, int querySize = 1) =>
        Visibility.Causal with { Documents = context.Documents, Blocks = blocks.Lists, BlockCounts = blocks.Lengths, QuerySize = querySize, KeySize = block };
}
