using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>s = exp(Δ A) s + Δ x B, u = C s + D x, gated.</summary>
internal sealed class Mamba : MixerReference<MambaConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("mamba by default", small with { Mixer = new MambaConfig() }),
    ];

    protected override double[][] Forward(MambaConfig mixer, NaiveLayer layer, double[][] x)
    {
        int n = mixer.State, channels = mixer.Expand * layer.Model.Width;
        double[] rates = layer.Weight("A_log"), skip = layer.Weight("D");
        double[][] both = [.. x.Select(row => layer.Linear(row, "in_proj"))], input = Silu(Convolution.Of(layer, [.. both.Select(row => row[..channels])], "conv1d"));
        var state = new double[channels][];
        Array.Fill(state, new double[n]);
        return [.. input.Select((row, t) =>
        {
            double[] selected = NaiveLayer.Times(layer.Weight("x_proj.weight"), row);
            double[] steps = layer.Linear(selected[..mixer.DtRank], "dt_proj"), b = selected[mixer.DtRank..][..n], c = selected[(mixer.DtRank + n)..];
            double[] z = [.. row.Select((value, channel) =>
            {
                double step = Math.Log(1 + Math.Exp(steps[channel])), gate = both[t][channels + channel];
                state[channel] = [.. state[channel].Select((s, i) => Math.Exp(-step * Math.Exp(rates[channel * n + i])) * s + step * value * b[i])];
                return (state[channel].Zip(c, (s, w) => s * w).Sum() + skip[channel] * value) * gate * NaiveLayer.Sigmoid(gate);
            })];
            return layer.Linear(z, "out_proj");
        })];
    }

    private static double[][] Silu(double[][] x) => [.. x.Select(row => row.Select(v => v * NaiveLayer.Sigmoid(v)).ToArray())];
}
