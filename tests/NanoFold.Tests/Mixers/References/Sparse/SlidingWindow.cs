using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Tests.Mixers.References;

/// <summary>A query sees the keys near it and the first ones.</summary>
internal sealed class SlidingWindow : AttentionFamily<SlidingWindowConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("sliding-window without sinks", small with { Mixer = SlidingWindowConfig.Tiny with { Sinks = 0 } }),
        ("sliding-window with sink logits", small with { Mixer = SlidingWindowConfig.Tiny with { Sinks = 0, SinkLogits = true } }),
    ];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override IEnumerable<int> Seen(SlidingWindowConfig mixer, int t, IReadOnlyList<int> shown, Func<int, double> score) =>
        shown.Where(j => Math.Abs(t - j) < mixer.Window || j < mixer.Sinks);
}
