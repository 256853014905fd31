using NanoFold.Engine.Mixers;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Each element of a key fades by itself.</summary>
internal sealed class GatedLinearAttention : RecurrentHeads<GatedLinearAttentionConfig>
{
    protected override double[] Decay(GatedLinearAttentionConfig mixer, NaiveLayer layer, double[] x, int head, int keyWidth) =>
        [.. layer.Linear(layer.Linear(x, "gk_proj.0"), "gk_proj.1").Skip(head * keyWidth).Take(keyWidth)
            .Select(g => Math.Pow(NaiveLayer.Sigmoid(g), 1 / mixer.GateNormalizer))];
}
