using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Mixture of block attention (arXiv 2502.13189): each query of each head attends over its own block and, of the blocks before it, those with the largest
/// q · mean of the keys. No parameters, no gradient through the choice. Decoding chooses as training does.
/// </summary>
public sealed record MobaConfig : BlockFamilyConfig
{
    public static MobaConfig Tiny => new() { Block = 3, TopBlocks = 2 };

    /// <summary>Blocks of a query, its own included; 0 for an eighth of the blocks there are, at least 2.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int TopBlocks { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => base.Traits(model) with { Chooses = true };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path) =>
        [.. base.Validate(model, path), .. CheckBlocks(model, $"{path}.topBlocks", TopBlocks)];

    /// <inheritdoc/>
    public override MobaConfig Resolve(ModelShape model) => this with { Block = BlockFor(model), TopBlocks = ChosenFor(model) };

    /// <summary>Of the 12 · H · D per key the score's 2 are spent on each mean.</summary>
    public override long PairFlopsPerToken(ModelShape model) =>
        FlopsOfKeys(model, Math.Min(model.Context, (long)ChosenFor(model) * BlockFor(model))) + (2L * ShapeFor(model).QueryWidth * BlocksOf(model));

    private int ChosenFor(ModelShape model) => TopBlocks > 0 ? TopBlocks : Math.Clamp(BlocksOf(model) / 8, Math.Min(2, BlocksOf(model)), BlocksOf(model));

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new Moba(builder, ShapeFor(builder.Model), BlockFor(builder.Model), ChosenFor(builder.Model));
}

internal sealed class Moba(ModuleBuilder builder, HeadShape shape, int block, int topBlocks) : BlockListMixer(builder, shape, block)
{
    public override IReadOnlyList<TapPoint> TapPoints => [.. base.TapPoints, new("attn.hook_blocks", $"B T H {topBlocks}") { IsReadOnly = true }];

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
    [
        .. base.State(batch, chunk),
        new StateSlot("key means", Layout.Of(batch, (Model.Context + Block - 1) / Block, Shape.KvHeads, Shape.HeadDim), Builder.Type, StateStart.Kept) { TokensPerEntry = Block },
    ];

    protected override Visibility Listed(ForwardContext context, AttentionInput input)
    {
        Tensor means;
        if (context.IsDecoding)
        {
            means = Slot(context, "key means");
            CachedBlockMeanOp.Record(context.Tape, input.K, Slot(context, "keys"), means, context.Positions, context.Counts, Block);
        }
        else
        {
            means = BlockMeanOp.Record(context.Tape, input.K, Block, context.Documents);
        }

        (Tensor Lists, Tensor Lengths) chosen = BlockChoiceOp.Record(
            context.Tape, input.Q, means, Block, topBlocks, documents: context.Documents, positions: context.Positions, counts: context.Counts);
        ListTap.Show(context.Tape, "hook_blocks", chosen.Lists);
        return Causal(context, chosen);
    }
}
