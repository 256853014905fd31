using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Sparse attention with a learned indexer (DeepSeek-V3.2, arXiv 2512.02556): a few small heads score all keys, score(t, s) = Σ_i w_ti ReLU(q_ti · k_s) / √(I · E),
/// without positions; the best keys, or blocks of keys (arXiv 2606.13392), are attended to by all heads. The indexer reads the stream without passing a gradient
/// back, and learns from a loss of its own, λ · KL(attention averaged over heads ‖ softmax of its scores), <c>indexLoss</c> in the metrics.
/// </summary>
public sealed record DsaConfig : AttentionFamilyConfig
{
    public static DsaConfig Tiny => new() { IndexHeads = 2, IndexDim = 6, TopK = 4, IndexLoss = 0 };

    /// <summary>I, the heads of the indexer.</summary>
    [Bounds(1, 4096)]
    public int IndexHeads { get; init; } = 4;

    /// <summary>E, the elements of their queries and of the one key that they share.</summary>
    [Bounds(1, 4096)]
    public int IndexDim { get; init; } = 32;

    /// <summary>Keys kept per query, blocks where there are some; 0 for an eighth of the context.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int TopK { get; init; }

    /// <summary>λ, the factor of the loss that the indexer learns from.</summary>
    [Bounds(0)]
    public double IndexLoss { get; init; } = 1;

    /// <summary>Keys of a block where blocks are kept, scored by the best of their keys, the query's own always among them; 0 for single keys.</summary>
    [Bounds(0, 1 << 20)]
    public int Block { get; init; }

    /// <summary>Steps at first in which attention is over all keys, and the indexer learns from all of them.</summary>
    [Bounds(0, int.MaxValue)]
    public int DenseSteps { get; init; }

    /// <summary>Layers that share a choice: the first of so many layers of these settings has an indexer and chooses, the others take its keys.</summary>
    [Bounds(1, 4096)]
    public int SharedLayers { get; init; } = 1;

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => base.Traits(model) with { Chooses = true, FollowsVisibility = false, WarmUpSteps = DenseSteps };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        if (Block > 1 && Block > model.Context / 2)
        {
            yield return new ConfigProblem($"{path}.block", $"{Block} is more than half of model.context = {model.Context}: a query would keep all that it sees");
        }
        else if (TopK > Places(model))
        {
            yield return new ConfigProblem($"{path}.topK", Block > 1
                ? $"{TopK} is more than the {Places(model)} blocks of {path}.block = {Block} in model.context = {model.Context}"
                : $"{TopK} is more than model.context = {model.Context}");
        }

        if (SharedLayers > model.Layers)
        {
            yield return new ConfigProblem($"{path}.sharedLayers", $"{SharedLayers} is more than model.layers = {model.Layers}");
        }
    }

    /// <inheritdoc/>
    public override DsaConfig Resolve(ModelShape model) => this with { TopK = TopK > 0 ? TopK : Math.Max(1, Places(model) / 8) };

    /// <inheritdoc/>
    public override long PairFlopsPerToken(ModelShape model)
    {
        // The index scores of all keys forward; of those kept attention, the scores again for the loss, and the indexer's gradients.
        int kept = (int)Math.Min(model.Context, (long)Resolve(model).TopK * KeySize);
        long index = (2L * IndexHeads * IndexDim * (model.Context + (2L * kept))) + (2L * ShapeFor(model).QueryWidth * kept);
        return FlopsOfKeys(model, kept) + (index / SharedLayers);
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new DsaMixer(builder, ShapeFor(builder.Model), Resolve(builder.Model));

    internal int KeySize => Math.Max(1, Block);

    // What TopK counts at full context.
    private int Places(ModelShape model) => (model.Context + KeySize - 1) / KeySize;
}
