using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>The second head of each pair, times λ, is taken off the first; the rest is normed.</summary>
internal sealed class Differential : AttentionFamily<DifferentialConfig>
{
    public override bool IsPatternTimesValues(MixerConfig mixer) => false;

    public override IReadOnlyList<string> Quick(string kind) => ["differential grouped"];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override double[][] Forward(DifferentialConfig mixer, NaiveLayer layer, double[][] x)
    {
        HeadShape shape = mixer.ShapeFor(layer.Model);
        double Power(string a, string b) => Math.Exp(layer.Weight(a).Zip(layer.Weight(b), (p, q) => p * q).Sum());
        double start = 0.8 - 0.6 * Math.Exp(-0.3 * layer.Number), lambda = Power("lambda_q1", "lambda_k1") - Power("lambda_q2", "lambda_k2") + start;
        return [.. Weighed(mixer, layer, x).Select(row => layer.Linear([.. row.Chunk(2 * shape.ValueDim).SelectMany(pair =>
        {
            double[] rest = [.. Enumerable.Range(0, shape.ValueDim).Select(i => pair[i] - lambda * pair[shape.ValueDim + i])];
            return layer.Rms(rest, layer.Weight("o_norm.weight")).Select(value => (1 - start) * value);
        })], "o_proj"))];
    }
}
