using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Attention over the k largest causal scores of each row; among equals the smaller index wins. Every key is scored, so that only the product
/// with the values and the backward pass get cheaper.
/// </summary>
public sealed record TopKConfig : AttentionFamilyConfig
{
    public static TopKConfig Tiny => new() { TopK = 3 };

    /// <summary>Keys kept per query; 0 for an eighth of the context.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int TopK { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => base.Traits(model) with { Chooses = true };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        if (TopK > model.Context)
        {
            yield return new ConfigProblem($"{path}.topK", $"{TopK} is more than model.context = {model.Context}");
        }
    }

    /// <inheritdoc/>
    public override TopKConfig Resolve(ModelShape model) => this with { TopK = KeptOf(model) };

    /// <inheritdoc/>
    public override long PairFlopsPerToken(ModelShape model)
    {
        // Of the 12 · H · D per key only the score's 2 are spent on keys that are not kept.
        int kept = Math.Min(KeptOf(model), model.Context);
        return FlopsOfKeys(model, kept) + (FlopsOfKeys(model, model.Context - kept) / 6);
    }

    private int KeptOf(ModelShape model) => TopK > 0 ? TopK : Math.Max(1, model.Context / 8);

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) =>
        new TopKAttention(builder, ShapeFor(builder.Model), Math.Min(KeptOf(builder.Model), builder.Model.Context));
}

internal sealed class TopKAttention(ModuleBuilder builder, HeadShape shape, int topK) : KeyListMixer(builder, shape)
{
    protected override int MostKept => topK;

    protected override KeyList Keep(ForwardContext context, AttentionInput input) => SelectKeysOp.Record(
        context.Tape, input.Q, input.K, default, Scale, new KeyBudget(topK), Seen(context), positions: context.Positions, counts: context.Counts);
}
