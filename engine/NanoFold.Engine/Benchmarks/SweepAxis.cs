using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Benchmarks;

/// <summary>One quantity of a configuration, or the kind of one of its parts, that a <see cref="StepSweep"/> varies while the rest stays.</summary>
/// <param name="Name">As <c>--sweep</c> takes it.</param>
/// <param name="Values">From the smallest; of kinds the places in <see cref="Kinds"/>.</param>
/// <param name="With">The configuration with another value; it may be inconsistent.</param>
public sealed record SweepAxis(string Name, IReadOnlyList<int> Values, Func<RunConfig, int, RunConfig> With)
{
    private const int HeadDim = 64;
    private const int HiddenMultiple = 8;

    public static IReadOnlyList<SweepAxis> All { get; } =
    [
        new("batch", [1, 2, 4, 8, 16], (config, batch) => config with { Train = config.Train with { Batch = batch } }),
        new("context", [64, 128, 256, 512, 1024], (config, context) => config with { Model = config.Model with { Context = context } }),
        new("width", [64, 128, 256, 384, 512, 768], (config, width) => config with { Model = WithWidth(config.Model, width) }),
        new("depth", [1, 2, 4, 8, 12], (config, depth) => config with { Model = config.Model with { Layers = depth * PatternLayers(config.Model) } }),
        OfKinds<MixerConfig>("mixer", (model, mixer) => model with { Mixer = mixer, Pattern = null }),
        OfKinds<FeedForwardConfig>("feedForward", (model, feedForward) => model with { FeedForward = feedForward, Pattern = null }),
        OfKinds<ResidualConfig>("residual", (model, residual) => model with { Residual = residual }),
    ];

    /// <summary>Names of the values where they are kinds: nothing grows along the axis then.</summary>
    public IReadOnlyList<string>? Kinds { get; private init; }

    /// <summary>A value as it is shown.</summary>
    public string Label(int value) => Kinds?[value] ?? value.ToString("N0", CultureInfo.InvariantCulture);

    // Each kind with its defaults, in all layers.
    private static SweepAxis OfKinds<TPart>(string name, Func<ModelConfig, TPart, ModelConfig> with)
    {
        IReadOnlyList<Variant> kinds = Variant.Of<TPart>();
        return new SweepAxis(
            name,
            [.. Enumerable.Range(0, kinds.Count)],
            (config, kind) => config with { Model = with(config.Model, (TPart)Activator.CreateInstance(kinds[kind].Type)!).Resolve() })
        {
            Kinds = [.. kinds.Select(kind => kind.Kind)],
        };
    }

    // Heads of 64; as many query heads to a key head and as wide a hidden layer, relative to the width, as before.
    private static ModelConfig WithWidth(ModelConfig model, int width)
    {
        model = model.Resolve();
        int Hidden(int hidden) => (int)Math.Max(1, Math.Round((double)hidden * width / model.Width / HiddenMultiple)) * HiddenMultiple;
        FeedForwardConfig? Scaled(FeedForwardConfig? feedForward) => feedForward is null ? null : feedForward with { Hidden = Hidden(feedForward.Hidden) };
        int heads = width / HeadDim, group = model.Heads / model.KvHeads;
        return model with
        {
            Width = width,
            Heads = heads,
            KvHeads = heads % group == 0 ? heads / group : heads,
            HeadDim = HeadDim,
            Hidden = Hidden(model.Hidden),
            FeedForward = Scaled(model.FeedForward)!,
            Pattern = model.Pattern?.Select(block => block with { FeedForward = Scaled(block.FeedForward) }).ToArray(),
        };
    }

    // A pattern is repeated as a whole.
    private static int PatternLayers(ModelConfig model) => model.Pattern?.Sum(block => block.Repeat) ?? 1;
}
