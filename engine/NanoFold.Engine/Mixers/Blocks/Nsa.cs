using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Native sparse attention (arXiv 2502.11089): z = Σ_c σ(W_g x)_c · attention_c for c in compressed (over means of complete blocks of keys and values), selected
/// (over the blocks to which the compressed attention of a key head's queries gives most; the first, the one before and the own always) and window.
/// W_g [3H, C], row 3h + c, has no bias. The compression is a mean, where the paper learns one over blocks that overlap.
/// </summary>
public sealed record NsaConfig : BlockFamilyConfig
{
    /// <summary>Widest window that is taken where none is asked for.</summary>
    private const int UsualWindow = 512;

    public static NsaConfig Tiny => new() { Block = 2, TopBlocks = 4, Window = 3 };

    /// <summary>Blocks of a query in the selected branch; 0 for an eighth of the blocks there are, at least 4.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int TopBlocks { get; init; }

    /// <summary>Keys of the window, back from and including the query's own; 0 for a quarter of the context, 512 at most.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int Window { get; init; }

    /// <summary>It has three patterns, over different things.</summary>
    public override MixerTraits Traits(ModelShape model) => base.Traits(model) with { Chooses = true, PatternHeads = 0 };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path).Concat(CheckBlocks(model, $"{path}.topBlocks", TopBlocks)))
        {
            yield return problem;
        }

        if (Window > model.Context)
        {
            yield return new ConfigProblem($"{path}.window", $"{Window} is more than model.context = {model.Context}");
        }
    }

    /// <inheritdoc/>
    public override NsaConfig Resolve(ModelShape model) => this with { Block = BlockFor(model), TopBlocks = ChosenFor(model), Window = WindowFor(model) };

    /// <summary>The three branches, and once more the scores of the means, of which 2 of the 12 · H · D per key are spent.</summary>
    public override long PairFlopsPerToken(ModelShape model) =>
        FlopsOfKeys(model, Math.Min(model.Context, (long)ChosenFor(model) * BlockFor(model)) + Math.Min(model.Context, WindowFor(model)) + BlocksOf(model))
            + (2L * ShapeFor(model).QueryWidth * BlocksOf(model));

    private int ChosenFor(ModelShape model) => TopBlocks > 0 ? TopBlocks : Math.Clamp(BlocksOf(model) / 8, Math.Min(4, BlocksOf(model)), BlocksOf(model));

    private int WindowFor(ModelShape model) => Window > 0 ? Window : Math.Clamp(model.Context / 4, 1, UsualWindow);

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) =>
        new Nsa(builder, ShapeFor(builder.Model), BlockFor(builder.Model), ChosenFor(builder.Model), WindowFor(builder.Model));
}

internal sealed class Nsa : AttentionMixer
{
    private readonly int _layer, _block, _topBlocks, _window;
    private readonly Linear _gates;

    public Nsa(ModuleBuilder builder, HeadShape shape, int block, int topBlocks, int window)
        : base(builder, shape)
    {
        _layer = builder.Layer;
        _block = block;
        _topBlocks = topBlocks;
        _window = window;
        _gates = Builder.Linear("g_proj", Model.Width, 3 * shape.Heads, Initialization.Gate);
    }

    protected override bool HasScores => false;

    protected override bool RoundsCache => false;

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        .. base.TapPoints.Where(point => point.Name != "attn.hook_pattern"),
        TapPoint.Gate("attn.hook_gate", "B T H 3"),
        new("attn.hook_blocks", $"B T G {_topBlocks}") { IsReadOnly = true },
        new("attn.hook_compressed", $"B T H {Shape.ValueLetter}"),
        new("attn.hook_selected", $"B T H {Shape.ValueLetter}"),
        new("attn.hook_window", $"B T H {Shape.ValueLetter}"),
    ];

    public override IEnumerable<StateSlot> State(int batch, int chunk)
    {
        int blocks = (Model.Context + _block - 1) / _block;
        return
        [
            .. base.State(batch, chunk),
            new StateSlot("key means", Layout.Of(batch, blocks, Shape.KvHeads, Shape.HeadDim), Builder.Type, StateStart.Kept) { TokensPerEntry = _block },
            new StateSlot("value means", Layout.Of(batch, blocks, Shape.KvHeads, Shape.ValueDim), Builder.Type, StateStart.Kept) { TokensPerEntry = _block },
        ];
    }

    protected override Tensor Attend(ForwardContext context, AttentionInput input)
    {
        Tape tape = context.Tape;
        (Tensor k, Tensor v) = Means(context, input);
        (Tensor compressed, Tensor logSumExp) = PooledAttentionOp.Record(
            tape, input.Q, k, v, _block, Scale, context.Documents, context.Positions, context.Counts);
        (Tensor lists, Tensor lengths) = BlockChoiceOp.Record(
            tape, input.Q, k, _block, _topBlocks, logSumExp, Scale, context.Documents, context.Positions, context.Counts);
        ListTap.Show(tape, "hook_blocks", lists);
        Tensor selected = Attend(context, input, Visibility.Causal with { Blocks = lists, BlockCounts = lengths, QuerySize = 1, KeySize = _block });
        Tensor window = Attend(context, input, Visibility.Causal with { Window = _window });

        Tensor gates = ActivationOp<Sigmoid>.Record(tape, _gates.Forward(tape, input.X)).Reshape(input.X[0], input.X[1], Shape.Heads, 3);
        gates = Tap.At(tape, "hook_gate", gates);
        Tensor first = MultiplyOp.Record(tape, Tap.At(tape, "hook_compressed", compressed), gates.Slice(3, 0, 1));
        Tensor second = MultiplyOp.Record(tape, Tap.At(tape, "hook_selected", selected), gates.Slice(3, 1, 1));
        Tensor third = MultiplyOp.Record(tape, Tap.At(tape, "hook_window", window), gates.Slice(3, 2, 1));
        return AddOp.Record(tape, AddOp.Record(tape, first, second), third);
    }

    /// <summary>Means of blocks of keys and values; while decoding in memory, after the new ones have been added to it.</summary>
    private (Tensor Keys, Tensor Values) Means(ForwardContext context, AttentionInput input)
    {
        Tape tape = context.Tape;
        if (context.Cache is not { } cache)
        {
            return (BlockMeanOp.Record(tape, input.K, _block, context.Documents), BlockMeanOp.Record(tape, input.V, _block, context.Documents));
        }

        (Tensor k, Tensor v) = (cache.Use(tape, _layer, "key means"), cache.Use(tape, _layer, "value means"));
        CachedBlockMeanOp.Record(tape, input.K, cache.Use(tape, _layer, "keys"), k, context.Positions, context.Counts, _block);
        CachedBlockMeanOp.Record(tape, input.V, cache.Use(tape, _layer, "values"), v, context.Positions, context.Counts, _block);
        return (k, v);
    }

    private Tensor Attend(ForwardContext context, AttentionInput input, Visibility seen) => context.Cache is { } cache
        ? CachedAttentionOp.Record(
            context.Tape, input.Q, input.K, input.V, new AttentionCache(cache.Use(context.Tape, _layer, "keys"), cache.Use(context.Tape, _layer, "values")),
            context.Positions, context.Counts, Scale, seen)
        : AttentionOp.Record(context.Tape, input.Q, input.K, input.V, Scale, seen with { Documents = context.Documents });
}
