using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Tests.Mixers.References;

/// <summary>A query takes the keys of the largest scores; among equals the first.</summary>
internal sealed class TopK : AttentionFamily<TopKConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("top-k of its own shape", small with { Mixer = TopKConfig.Tiny with { Heads = 2, KvHeads = 1, HeadDim = 4, ValueDim = 9 } })];

    /// <summary>Another kind of lists decodes.</summary>
    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override IEnumerable<int> Seen(TopKConfig mixer, int t, IReadOnlyList<int> shown, Func<int, double> score) =>
        shown.OrderByDescending(score).ThenBy(j => j).Take(mixer.TopK);
}
