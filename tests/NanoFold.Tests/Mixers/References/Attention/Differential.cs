using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>The second head of each pair, times λ, is taken off the first; the rest is normed.</summary>
internal sealed class Differential : AttentionFamily<DifferentialConfig>
{
    public override bool IsPatternTimesValues(MixerConfig mixer) => false;

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("differential of key heads, without a gain", small with { KvHeads = 2, Mixer = new DifferentialConfig { Pairing = HeadPairing.KeyHeads, NormGain = false } })];

    public override IReadOnlyList<string> Quick(string kind) => ["differential grouped"];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override double[][] Forward(DifferentialConfig mixer, NaiveLayer layer, double[][] x)
    {
        HeadShape shape = mixer.ShapeFor(layer.Model);
        double Power(string a, string b) => Math.Exp(layer.Weight(a).Zip(layer.Weight(b), (p, q) => p * q).Sum());
        double start = 0.8 - 0.6 * Math.Exp(-0.3 * layer.Number), lambda = Power("lambda_q1", "lambda_k1") - Power("lambda_q2", "lambda_k2") + start;
        int apart = (mixer.Pairing == HeadPairing.KeyHeads ? shape.Heads / shape.KvHeads : 1) * shape.ValueDim;
        double[] gain = mixer.NormGain ? layer.Weight("o_norm.weight") : [.. Enumerable.Repeat(1.0, shape.ValueDim)];
        return [.. Weighed(mixer, layer, x).Select(row => layer.Linear([.. row.Chunk(2 * apart).SelectMany(block =>
            Enumerable.Range(0, apart).Select(i => block[i] - lambda * block[apart + i]).Chunk(shape.ValueDim).SelectMany(rest => layer.Rms(rest, gain)).Select(value => (1 - start) * value))], "o_proj"))];
    }
}
