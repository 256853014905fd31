using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Every mean by itself, its weights by distance: e^(k_s − (t − 1 − s) rate) of those before, e^(u + k_t) of the own.</summary>
internal sealed class Rwkv4 : MixerReference<Rwkv4Config>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("rwkv4 of another width", small with { Mixer = new Rwkv4Config { State = 10 } })];

    protected override double[][] Forward(Rwkv4Config mixer, NaiveLayer layer, double[][] x)
    {
        double[][] Projected(string shares, string name) => [.. x.Select((_, t) => layer.Linear(layer.Mixed(x, t, shares), name))];
        double[][] k = Projected("mix_k", "k_proj"), v = Projected("mix_v", "v_proj"), r = Projected("mix_r", "r_proj");
        double[] decay = layer.Weight("decay"), bonus = layer.Weight("bonus");
        return [.. x.Select((_, t) => layer.Linear([.. decay.Select((rate, c) =>
        {
            double own = Math.Exp(bonus[c] + k[t][c]), sum = own, weighed = own * v[t][c];
            for (int s = 0; s < t; s++)
            {
                double weight = Math.Exp(k[s][c] - ((t - 1 - s) * Math.Exp(rate)));
                sum += weight;
                weighed += weight * v[s][c];
            }

            return NaiveLayer.Sigmoid(r[t][c]) * weighed / sum;
        })], "o_proj"))];
    }
}
