using NanoFold.Engine.Mixers;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>h ← exp(−exp(A_log) dt) h + dt x Bᵀ for each channel, y = h C + D x, RMSNorm(y ⊙ silu(z)).</summary>
internal sealed class Mamba2 : MixerReference<Mamba2Config>
{
    public override IReadOnlyList<string> Quick(string kind) => [];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override double[][] Forward(Mamba2Config mixer, NaiveLayer layer, double[][] x)
    {
        int channels = mixer.Channels(layer.Model), n = mixer.State, heads = mixer.HeadsFor(layer.Model);
        double[] rates = layer.Weight("A_log"), bias = layer.Weight("dt_bias"), skip = layer.Weight("D"), gain = layer.Weight("norm.weight");
        double[][] projected = [.. x.Select(row => layer.Linear(row, "in_proj"))];
        double[][] convolved = NaiveConvolution.Of(
            [.. projected.Select(row => row[channels..(2 * channels + 2 * n)])], layer.Weight("conv1d.weight"), layer.Weight("conv1d.bias"));
        var h = new double[channels * n];
        return [.. projected.Select((row, t) =>
        {
            double[] own = [.. convolved[t].Select(Silu)];
            double[] y = [.. Enumerable.Range(0, channels).Select(c =>
            {
                int head = c / (channels / heads);
                double step = Math.Log(1 + Math.Exp(row[2 * channels + 2 * n + head] + bias[head])), decay = Math.Exp(-Math.Exp(rates[head]) * step), sum = skip[head] * own[c];
                for (int i = 0; i < n; i++)
                {
                    h[c * n + i] = decay * h[c * n + i] + step * own[c] * own[channels + i];
                    sum += h[c * n + i] * own[channels + n + i];
                }

                return sum * Silu(row[c]);
            })];
            return layer.Linear(layer.Rms(y, gain), "out_proj");
        })];

        static double Silu(double v) => v * NaiveLayer.Sigmoid(v);
    }
}
