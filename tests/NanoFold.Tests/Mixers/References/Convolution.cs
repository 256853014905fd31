using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Each channel by itself: the last values, weighted, times silu of a gate.</summary>
internal sealed class Convolution : MixerReference<ConvolutionConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("convolution longer than the context", small with { Mixer = new ConvolutionConfig { Conv = 19 } })];

    /// <summary>A depthwise causal convolution of rows, with the weight and the bias of that name.</summary>
    public static double[][] Of(NaiveLayer layer, double[][] x, string name)
    {
        double[] weight = layer.Weight(name + ".weight"), bias = layer.Weight(name + ".bias");
        int taps = weight.Length / bias.Length;
        return [.. x.Select((_, t) => bias.Select((sum, c) =>
        {
            for (int back = 0; back < taps && back <= t; back++)
            {
                sum += weight[(c + 1) * taps - 1 - back] * x[t - back][c];
            }

            return sum;
        }).ToArray())];
    }

    protected override double[][] Forward(ConvolutionConfig mixer, NaiveLayer layer, double[][] x)
    {
        double[][] convolved = Of(layer, [.. x.Select(row => layer.Linear(row, "v_proj"))], "conv1d");
        return [.. x.Select((row, t) =>
        {
            double[] z = [.. layer.Linear(row, "g_proj").Select((g, c) => convolved[t][c] * g * NaiveLayer.Sigmoid(g))];
            return layer.Linear(z, "o_proj");
        })];
    }
}
