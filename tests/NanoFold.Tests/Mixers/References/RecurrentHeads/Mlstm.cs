using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>C = σ(f) C + eⁱ k vᵀ and n = σ(f) n + eⁱ k as they stand, without anything taken out of them: only what is added to the divisor depends on the maximum.</summary>
internal sealed class Mlstm : RecurrentHeads<MlstmConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("mlstm with wide values and free gates", small with { Mixer = new MlstmConfig { Heads = 2, HeadDim = 6, ValueDim = 11, GateCap = 0, Epsilon = 0.01 } })];

    protected override double[][] Forward(MlstmConfig mixer, NaiveLayer layer, double[][] x)
    {
        HeadShape shape = mixer.ShapeFor(layer.Model);
        (int heads, int d, int dv) = (shape.Heads, shape.HeadDim, shape.ValueDim);
        double[][][] q = Heads(mixer, layer, x, "q", d), k = Heads(mixer, layer, x, "k", d), v = Heads(mixer, layer, x, "v", dv);
        double[][,] memory = [.. Enumerable.Range(0, heads).Select(_ => new double[d, dv])];
        double[][] sums = [.. Enumerable.Range(0, heads).Select(_ => new double[d])];
        var most = new double[heads];
        double[] gain = layer.Weight("norm.weight");
        return [.. x.Select((row, t) =>
        {
            double[] input = Capped(mixer, layer.Linear(row, "i_proj")), forget = Capped(mixer, layer.Linear(row, "f_proj")), gate = layer.Linear(row, "g_proj");
            double[] z = [.. Enumerable.Range(0, heads).SelectMany(h =>
            {
                double[] Of(double[][] all) => all[h / (heads / all.Length)];
                double[] query = [.. Of(q[t]).Select(e => e / Math.Sqrt(d))], key = Of(k[t]), value = Of(v[t]);
                double keeps = NaiveLayer.Sigmoid(forget[h]), writes = Math.Exp(input[h]);
                most[h] = Math.Max(Math.Log(keeps) + most[h], input[h]);
                for (int i = 0; i < d; i++)
                {
                    sums[h][i] = (keeps * sums[h][i]) + (writes * key[i]);
                    for (int j = 0; j < dv; j++)
                    {
                        memory[h][i, j] = (keeps * memory[h][i, j]) + (writes * key[i] * value[j]);
                    }
                }

                double weight = Math.Max(Math.Abs(query.Zip(sums[h], (a, b) => a * b).Sum()), 1) + (mixer.Epsilon * Math.Exp(most[h]));
                double[] read = [.. Enumerable.Range(0, dv).Select(j => Enumerable.Range(0, d).Sum(i => query[i] * memory[h][i, j]) / weight)];
                double mean = read.Average(), root = Math.Sqrt(read.Average(e => (e - mean) * (e - mean)) + layer.Model.NormEpsilon);
                return read.Select(e => (e - mean) / root);
            })];
            return layer.Linear([.. z.Select((e, i) => e * gain[i] * NaiveLayer.Sigmoid(gate[i]))], "o_proj");
        })];
    }

    private static double[] Capped(MlstmConfig mixer, double[] gates) => mixer.GateCap > 0 ? [.. gates.Select(g => mixer.GateCap * Math.Tanh(g / mixer.GateCap))] : gates;
}
