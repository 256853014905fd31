using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Heads that fade by constants of head and layer; silu before, one norm over all heads and a gate after.</summary>
internal sealed class LightningAttention : RecurrentHeads<LightningAttentionConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("lightning-attention with wide values", small with { Layers = 3, Mixer = new LightningAttentionConfig { Heads = 2, HeadDim = 6, ValueDim = 11, NormEpsilon = 1e-3 } })];

    protected override double[][] Channels(LightningAttentionConfig mixer, double[]? filter, double[][] x) => [.. x.Select(row => row.Select(Silu).ToArray())];

    protected override double[] Decay(LightningAttentionConfig mixer, NaiveLayer layer, double[] x, int head, int keyWidth)
    {
        int heads = mixer.ShapeFor(layer.Model).Heads;
        double rate = Math.Pow(2, -8.0 * (head + 1) / heads) * (1 - (layer.Number / (layer.Model.Layers - 1 + 1e-5)) + 1e-5);
        return [.. Enumerable.Repeat(Math.Exp(-rate), keyWidth)];
    }

    protected override double Divisor(int keyWidth) => 1;

    protected override double[] Ended(LightningAttentionConfig mixer, NaiveLayer layer, double[] x, double[] z)
    {
        double root = Math.Sqrt(z.Average(v => v * v) + mixer.NormEpsilon);
        double[] gain = layer.Weight("norm.weight"), gate = layer.Linear(x, "g_proj");
        return [.. z.Select((v, i) => v / root * gain[i] * NaiveLayer.Sigmoid(gate[i]))];
    }
}
