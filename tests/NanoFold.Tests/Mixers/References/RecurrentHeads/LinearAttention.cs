using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Weights φ(q) · φ(k), divided by their sum.</summary>
internal sealed class LinearAttention : RecurrentHeads<LinearAttentionConfig>
{
    protected override bool IsNormalized => true;

    protected override double[] Feature(LinearAttentionConfig mixer, ModelConfig model, double[] head, int position) => [.. head.Select(e => e > 0 ? e + 1 : Math.Exp(e))];
}
