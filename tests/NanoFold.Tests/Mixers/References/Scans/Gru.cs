using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>r, z = σ(in + hidden), n = tanh(in + r ⊙ hidden), h = (1 − z) ⊙ n + z ⊙ h.</summary>
internal sealed class Gru : MixerReference<GruConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("gru of another width", small with { Mixer = new GruConfig { State = 10 } })];

    protected override double[][] Forward(GruConfig mixer, NaiveLayer layer, double[][] x)
    {
        int n = mixer.State;
        var h = new double[n];
        var y = new double[x.Length][];
        for (int t = 0; t < x.Length; t++)
        {
            double[] input = layer.Linear(x[t], "in_proj"), hidden = layer.Linear(h, "h_proj"), before = h;
            double Gate(int gate, int i) => NaiveLayer.Sigmoid(input[gate * n + i] + hidden[gate * n + i]);
            h = [.. Enumerable.Range(0, n).Select(i =>
            {
                double z = Gate(1, i), candidate = Math.Tanh(input[2 * n + i] + Gate(0, i) * hidden[2 * n + i]);
                return (1 - z) * candidate + z * before[i];
            })];
            y[t] = layer.Linear(h, "o_proj");
        }

        return y;
    }
}
