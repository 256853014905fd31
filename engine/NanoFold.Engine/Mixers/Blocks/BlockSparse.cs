using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Attention in which a query in block i sees, in order, the keys of block j where i − j &lt; local or (i − j) mod stride = 0 (Sparse Transformer,
/// arXiv 1904.10509).
/// </summary>
public sealed record BlockSparseConfig : BlockFamilyConfig
{
    public static BlockSparseConfig Tiny => new() { Block = 3, Local = 1, Stride = 2 };

    /// <summary>Blocks seen back from and including the query's own; 0 for the square root of the blocks there are.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int Local { get; init; }

    /// <summary>Of the blocks before those every so many are seen; 0 for the square root of the blocks there are.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int Stride { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path) =>
        [.. base.Validate(model, path), .. CheckBlocks(model, $"{path}.local", Local), .. CheckBlocks(model, $"{path}.stride", Stride)];

    /// <inheritdoc/>
    public override BlockSparseConfig Resolve(ModelShape model) => this with { Block = BlockFor(model), Local = LocalFor(model), Stride = StrideFor(model) };

    /// <inheritdoc/>
    public override long PairFlopsPerToken(ModelShape model) =>
        FlopsOfKeys(model, Math.Min(model.Context, (long)BlockPatternCall.Most(BlocksOf(model), LocalFor(model), StrideFor(model)) * BlockFor(model)));

    private int LocalFor(ModelShape model) => Local > 0 ? Local : Root(model);

    private int StrideFor(ModelShape model) => Stride > 0 ? Stride : Root(model);

    private int Root(ModelShape model) => Math.Max(1, (int)Math.Sqrt(BlocksOf(model)));

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) =>
        new BlockSparse(builder, ShapeFor(builder.Model), BlockFor(builder.Model), LocalFor(builder.Model), StrideFor(builder.Model));
}

internal sealed class BlockSparse(ModuleBuilder builder, HeadShape shape, int block, int local, int stride) : BlockListMixer(builder, shape, block)
{
    protected override Visibility Listed(ForwardContext context, AttentionInput input) => Causal(
        context,
        BlockPatternOp.Record(context.Tape, context.IsDecoding ? Model.Context : context.Time, Block, local, stride, context.Time, context.Positions),
        context.IsDecoding ? 1 : Block);
}
