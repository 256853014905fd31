using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>h ← exp(−exp(A_log) dt) h + dt x Bᵀ for each channel, y = h C + D x, RMSNorm(y ⊙ silu(z)).</summary>
internal sealed class Mamba2 : MixerReference<Mamba2Config>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("mamba2 of two groups, steps within bounds", small with
        {
            Bias = true,
            Mixer = Mamba2Config.Tiny with { Groups = 2, StepMin = 0.005, StepMax = 0.06, NormOver = ChannelNormSpan.Group, GateFirst = false },
        }),
        ("mamba2 of other channels, scaled", small with { Mixer = Mamba2Config.Tiny with { Channels = 12, Scales = new Mamba2Scales { Z = 0.5, X = 1.5, B = 0.7, C = 2, Dt = 1.2 } } }),
        ("mamba2 of four groups without a norm", small with { Mixer = Mamba2Config.Tiny with { Groups = 4, ConvBias = false, NormOver = ChannelNormSpan.None } }),
    ];

    public override IReadOnlyList<string> Quick(string kind) => [];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override double[][] Forward(Mamba2Config mixer, NaiveLayer layer, double[][] x)
    {
        int channels = mixer.ChannelsFor(layer.Model), n = mixer.State, heads = mixer.HeadsFor(layer.Model), shared = mixer.Groups * n;
        double[] rates = layer.Weight("A_log"), bias = layer.Weight("dt_bias"), skip = layer.Weight("D");
        (double Factor, int Rows)[] parts = [(mixer.Scales.Z, channels), (mixer.Scales.X, channels), (mixer.Scales.B, shared), (mixer.Scales.C, shared), (mixer.Scales.Dt, heads)];
        double[] scales = [.. parts.SelectMany(part => Enumerable.Repeat(part.Factor, part.Rows))];
        double[][] projected = [.. x.Select(row => NaiveLayer.Multiply(layer.Linear(row, "in_proj"), scales))];
        double[][] convolved = NaiveConvolution.Of(
            [.. projected.Select(row => row[channels..(2 * channels + 2 * shared)])], layer.Weight("conv1d.weight"), layer.Find("conv1d.bias"));
        var h = new double[channels * n];
        return [.. projected.Select((row, t) =>
        {
            double[] own = [.. convolved[t].Select(Silu)];
            double[] y = [.. Enumerable.Range(0, channels).Select(c =>
            {
                int head = c / (channels / heads), key = channels + head / (heads / mixer.Groups) * n;
                double free = Math.Log(1 + Math.Exp(row[2 * channels + 2 * shared + head] + bias[head]));
                double step = Math.Clamp(free, mixer.StepMin, mixer.StepMax > 0 ? mixer.StepMax : double.PositiveInfinity);
                double decay = Math.Exp(-Math.Exp(rates[head]) * step), sum = skip[head] * own[c];
                for (int i = 0; i < n; i++)
                {
                    h[c * n + i] = decay * h[c * n + i] + step * own[c] * own[key + i];
                    sum += h[c * n + i] * own[key + shared + i];
                }

                return sum;
            })];
            double[] gate = [.. row[..channels].Select(Silu)];
            return layer.Linear(mixer.GateFirst ? Normed(mixer, layer, NaiveLayer.Multiply(y, gate)) : NaiveLayer.Multiply(Normed(mixer, layer, y), gate), "out_proj");
        })];

        static double Silu(double v) => v * NaiveLayer.Sigmoid(v);
    }

    private static double[] Normed(Mamba2Config mixer, NaiveLayer layer, double[] y)
    {
        if (mixer.NormOver == ChannelNormSpan.None)
        {
            return y;
        }

        double[] gain = layer.Weight("norm.weight");
        int span = mixer.NormOver == ChannelNormSpan.All ? y.Length : y.Length / mixer.Groups;
        return [.. y.Chunk(span).Zip(gain.Chunk(span), layer.Rms).SelectMany(part => part)];
    }
}
