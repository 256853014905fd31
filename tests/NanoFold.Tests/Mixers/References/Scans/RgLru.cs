using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>h = a h + √(1 − a²) σ(i) u of each channel, 1 in the root's place at the first token.</summary>
internal sealed class RgLru : MixerReference<RgLruConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("rg-lru of another width without a convolution", small with { Mixer = new RgLruConfig { State = 10, Blocks = 5, Conv = 1 } })];

    // Its kernels are those of other scans.
    public override IReadOnlyList<string> Quick(string kind) => [];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override double[][] Forward(RgLruConfig mixer, NaiveLayer layer, double[][] x)
    {
        double[][] u = NaiveConvolution.Of([.. x.Select(row => layer.Linear(row, "x_proj"))], layer.Weight("conv1d.weight"), layer.Weight("conv1d.bias"));
        double[] rate = [.. layer.Weight("lambda").Select(v => Math.Log(1 + Math.Exp(v)))];
        var h = new double[mixer.State];
        return [.. x.Select((row, t) =>
        {
            double[] input = Gate(layer.In("input_gate"), u[t], mixer.Blocks), recurrent = Gate(layer.In("recurrent_gate"), u[t], mixer.Blocks);
            h = [.. h.Select((before, c) =>
            {
                double a = Math.Exp(-8 * rate[c] * recurrent[c]);
                return (a * before) + ((t == 0 ? 1 : Math.Sqrt(1 - (a * a))) * input[c] * u[t][c]);
            })];
            return layer.Linear(NaiveLayer.Multiply(h, [.. layer.Linear(row, "y_proj").Select(Numbers.GeluTanh)]), "out_proj");
        })];
    }

    // A matrix [in, out] for each block.
    private static double[] Gate(NaiveLayer gate, double[] u, int blocks)
    {
        int d = u.Length / blocks;
        double[] weight = gate.Weight("weight"), bias = gate.Weight("bias");
        return [.. bias.Select((b, o) => NaiveLayer.Sigmoid(b + Enumerable.Range(0, d).Sum(i => u[(o / d * d) + i] * weight[(((o / d * d) + i) * d) + (o % d)])))];
    }
}
