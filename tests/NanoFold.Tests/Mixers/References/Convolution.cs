using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Each channel by itself: the last values, weighted, times silu of a gate.</summary>
internal sealed class Convolution : MixerReference<ConvolutionConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("convolution longer than the context", small with { Mixer = new ConvolutionConfig { Taps = 19 } })];

    protected override double[][] Forward(ConvolutionConfig mixer, NaiveLayer layer, double[][] x)
    {
        int taps = mixer.Taps;
        double[] weight = layer.Weight("conv1d.weight"), bias = layer.Weight("conv1d.bias");
        double[][] v = [.. x.Select(row => layer.Linear(row, "v_proj"))];
        return [.. x.Select((row, t) =>
        {
            double[] gate = layer.Linear(row, "g_proj");
            double[] z = [.. gate.Select((g, c) =>
            {
                double sum = bias[c];
                for (int back = 0; back < taps && back <= t; back++)
                {
                    sum += weight[(c + 1) * taps - 1 - back] * v[t - back][c];
                }

                return sum * g * NaiveLayer.Sigmoid(g);
            })];
            return layer.Linear(z, "o_proj");
        })];
    }
}
