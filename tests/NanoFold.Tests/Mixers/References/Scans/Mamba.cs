using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>A state of each channel, read, with what skips it, gated.</summary>
internal sealed class Mamba : MixerReference<MambaConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("mamba by default", small with { Mixer = new MambaConfig() }),
        ("mamba with biases but in its convolution", small with { Mixer = MambaConfig.Tiny with { Bias = true, ConvBias = false } }),
        ("mamba with norms within", small with { Mixer = MambaConfig.Tiny with { InnerNorm = true } }),
        ("mamba without selection", small with { Mixer = MambaConfig.Tiny with { State = 5, Selective = false } }),
    ];

    public override IReadOnlyList<string> Quick(string kind) => ["mamba Rope", "mamba without selection"];

    protected override double[][] Forward(MambaConfig mixer, NaiveLayer layer, double[][] x)
    {
        int channels = mixer.Expand * layer.Model.Width;
        double[] skip = layer.Weight("D");
        double[][] both = [.. x.Select(row => layer.Linear(row, "in_proj"))], input = Silu(NaiveConvolution.Of([.. both.Select(row => row[..channels])], layer.Weight("conv1d.weight"), layer.Find("conv1d.bias")));
        double[][] scanned = mixer.Selective ? Selected(mixer, layer, input) : Fixed(mixer, layer, input);
        double[][] gates = Silu([.. both.Select(row => row[channels..])]);
        return [.. input.Select((row, t) => layer.Linear(NaiveLayer.Multiply(NaiveLayer.Add(scanned[t], NaiveLayer.Multiply(skip, row)), gates[t]), "out_proj"))];
    }

    // s = exp(Δ A) s + Δ x B, C s.
    private static double[][] Selected(MambaConfig mixer, NaiveLayer layer, double[][] x)
    {
        int n = mixer.State;
        double[] rates = layer.Weight("A_log");
        double[][] state = [.. x[0].Select(_ => new double[n])];
        return [.. x.Select(row =>
        {
            double[] selected = NaiveLayer.Times(layer.Weight("x_proj.weight"), row);
            double[] Part(int start, int width, string norm) => layer.Find($"{norm}.weight") is { } gain ? layer.Rms(selected[start..][..width], gain) : selected[start..][..width];
            double[] steps = layer.Linear(Part(0, mixer.DtRank, "dt_norm"), "dt_proj"), b = Part(mixer.DtRank, n, "b_norm"), c = Part(mixer.DtRank + n, n, "c_norm");
            return row.Select((value, channel) =>
            {
                double step = Math.Log(1 + Math.Exp(steps[channel]));
                state[channel] = [.. state[channel].Select((s, i) => Math.Exp(-step * Math.Exp(rates[channel * n + i])) * s + step * value * b[i])];
                return state[channel].Zip(c, (s, w) => s * w).Sum();
            }).ToArray();
        })];
    }

    // (1 − Δ/2 A) s' = (1 + Δ/2 A) s + Δ B x with the matrices of HiPPO-LegS, C s'.
    private static double[][] Fixed(MambaConfig mixer, NaiveLayer layer, double[][] x)
    {
        int n = mixer.State;
        double[] steps = layer.Weight("dt_bias"), read = layer.Weight("C");
        double[][] state = [.. x[0].Select(_ => new double[n])];
        double A(int i, int k) => i > k ? -Math.Sqrt((2 * i + 1.0) * (2 * k + 1)) : i == k ? -(i + 1) : 0;
        return [.. x.Select(row => row.Select((value, channel) =>
        {
            double step = Math.Log(1 + Math.Exp(steps[channel]));
            double[] before = state[channel], next = new double[n];
            for (int i = 0; i < n; i++)
            {
                double right = before[i] + step * Math.Sqrt(2 * i + 1) * value + step / 2 * Enumerable.Range(0, i + 1).Sum(k => A(i, k) * (before[k] + next[k]));
                next[i] = right / (1 - step / 2 * A(i, i));
            }

            state[channel] = next;
            return next.Select((s, i) => s * read[channel * n + i]).Sum();
        }).ToArray())];
    }

    private static double[][] Silu(double[][] x) => [.. x.Select(row => row.Select(v => v * NaiveLayer.Sigmoid(v)).ToArray())];
}
