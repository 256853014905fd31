using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>The values of all tokens so far, weighted by place and group.</summary>
internal sealed class MlpMixer : MixerReference<MlpMixerConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) => [("mlp-mixer by default", small with { Mixer = new MlpMixerConfig() })];

    protected override double[][] Forward(MlpMixerConfig mixer, NaiveLayer layer, double[][] x)
    {
        double[] mix = layer.Weight("mix");
        int context = layer.Model.Context, channels = layer.Model.Width / mixer.Groups;
        double[][] v = [.. x.Select(row => layer.Linear(row, "v_proj"))];
        return [.. x.Select((_, t) =>
        {
            double[] z = [.. Enumerable.Range(0, layer.Model.Width).Select(c => Enumerable.Range(0, t + 1).Sum(s => mix[((c / channels * context) + t) * context + s] * v[s][c]))];
            return layer.Linear(z, "o_proj");
        })];
    }
}
