using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Attention over the smallest set of keys whose weights reach a share of the whole (top-p), per query and head, its size held between a floor and a
/// ceiling; among equals the smaller index wins. Every key is scored. What decoding may spend can be set apart from what training does, for the tokens of a
/// prompt, which come several at a time, and for those that are generated, one at a time.
/// </summary>
public sealed record BudgetAdaptiveConfig : AttentionFamilyConfig
{
    public static BudgetAdaptiveConfig Tiny => new() { Mass = 0.6, Floor = 2, Ceiling = 5 };

    /// <summary>The share of the softmax's weight that the keys kept must reach.</summary>
    [Bounds(0, 1, AboveMinimum = true)]
    public double Mass { get; init; } = 0.9;

    /// <summary>Keys kept at least, of those that there are; 0 for a 64th of the context.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int Floor { get; init; }

    /// <summary>Keys kept at most; 0 for a quarter of the context.</summary>
    [Bounds(0, int.MaxValue, Auto = true)]
    public int Ceiling { get; init; }

    /// <summary>The share for tokens of a prompt while decoding; null for <see cref="Mass"/>.</summary>
    [Bounds(0, 1, AboveMinimum = true)]
    public double? PrefillMass { get; init; }

    /// <summary>The floor for tokens of a prompt; null for <see cref="Floor"/>.</summary>
    [Bounds(0, int.MaxValue)]
    public int? PrefillFloor { get; init; }

    /// <summary>The ceiling for tokens of a prompt; null for <see cref="Ceiling"/>.</summary>
    [Bounds(1, int.MaxValue)]
    public int? PrefillCeiling { get; init; }

    /// <summary>The share for tokens that come one at a time; null for <see cref="Mass"/>.</summary>
    [Bounds(0, 1, AboveMinimum = true)]
    public double? DecodingMass { get; init; }

    /// <summary>The floor for tokens that come one at a time; null for <see cref="Floor"/>.</summary>
    [Bounds(0, int.MaxValue)]
    public int? DecodingFloor { get; init; }

    /// <summary>The ceiling for tokens that come one at a time; null for <see cref="Ceiling"/>.</summary>
    [Bounds(1, int.MaxValue)]
    public int? DecodingCeiling { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => base.Traits(model) with { Chooses = true };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        BudgetAdaptiveConfig own = Resolve(model);
        foreach ((string name, int floor, int ceiling) in new[]
        {
            ("floor", own.Floor, own.Ceiling), ("prefillFloor", own.Prefill.Floor, own.Prefill.Most), ("decodingFloor", own.Decoding.Floor, own.Decoding.Most),
        })
        {
            if (floor > ceiling)
            {
                yield return new ConfigProblem($"{path}.{name}", $"{floor} is more than the ceiling of {ceiling}");
            }
        }

        foreach ((string name, int ceiling) in new[] { ("ceiling", own.Ceiling), ("prefillCeiling", own.Prefill.Most), ("decodingCeiling", own.Decoding.Most) })
        {
            if (ceiling > model.Context)
            {
                yield return new ConfigProblem($"{path}.{name}", $"{ceiling} is more than model.context = {model.Context}");
            }
        }
    }

    /// <inheritdoc/>
    public override BudgetAdaptiveConfig Resolve(ModelShape model)
    {
        int ceiling = Ceiling > 0 ? Ceiling : Math.Max(1, model.Context / 4);
        return this with { Ceiling = ceiling, Floor = Floor > 0 ? Floor : Math.Min(ceiling, Math.Max(1, model.Context / 64)) };
    }

    /// <inheritdoc/>
    public override long PairFlopsPerToken(ModelShape model)
    {
        // As if every query kept all that it may; of the 12 · H · D per key only the score's 2 are spent on others.
        int kept = Math.Min(Resolve(model).Ceiling, model.Context);
        return FlopsOfKeys(model, kept) + (FlopsOfKeys(model, model.Context - kept) / 6);
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new BudgetAdaptive(builder, ShapeFor(builder.Model), Resolve(builder.Model));

    internal KeyBudget Training => new(Ceiling, Mass, Floor);

    internal KeyBudget Prefill => new(PrefillCeiling ?? Ceiling, PrefillMass ?? Mass, PrefillFloor ?? Floor);

    internal KeyBudget Decoding => new(DecodingCeiling ?? Ceiling, DecodingMass ?? Mass, DecodingFloor ?? Floor);
}

internal sealed class BudgetAdaptive(ModuleBuilder builder, HeadShape shape, BudgetAdaptiveConfig config) : KeyListMixer(builder, shape)
{
    protected override int MostKept => config.Ceiling;

    protected override KeyList Keep(ForwardContext context, AttentionInput input)
    {
        KeyBudget budget = !context.IsDecoding ? config.Training : context.Time > 1 ? config.Prefill : config.Decoding;
        return SelectKeysOp.Record(
            context.Tape, input.Q, input.K, default, Scale, budget, Seen(context), positions: context.Positions, counts: context.Counts);
    }
}
