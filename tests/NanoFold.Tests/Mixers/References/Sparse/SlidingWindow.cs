using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Tests.Mixers.References;

/// <summary>A query sees the last keys and the first ones.</summary>
internal sealed class SlidingWindow : AttentionFamily<SlidingWindowConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("sliding-window without sinks", small with { Mixer = SlidingWindowConfig.Tiny with { Sinks = 0 } }),
        ("sliding-window with sink logits", small with { Mixer = SlidingWindowConfig.Tiny with { Sinks = 0, SinkLogits = true } }),
    ];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override IEnumerable<int> Seen(SlidingWindowConfig mixer, int t, Func<int, double> score) =>
        Enumerable.Range(0, t + 1).Where(j => j > t - mixer.Window || j < mixer.Sinks);
}
