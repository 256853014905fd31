using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Tests.Suites;

/// <summary>The forward pass of a model in plain loops over doubles, one sequence at a time, from its weights by name.</summary>
internal sealed class NaiveModel(ModelConfig config, Func<string, double[]?> weights)
{
    /// <summary>Logits [T · V].</summary>
    public double[] Logits(int[] tokens)
    {
        double[][] x = [.. tokens.Select((token, t) =>
        {
            double[] row = Row(Weight("model.embed_tokens.weight"), token, config.Width);
            return config.Position == PositionKind.Learned ? Add(row, Row(Weight("model.embed_positions.weight"), t, config.Width)) : row;
        })];
        IReadOnlyList<LayerConfig> layers = config.LayerConfigs();
        for (int layer = 0; layer < layers.Count; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            double[][] mixed = Attention(Norm(x, prefix + "input_layernorm"), prefix + "self_attn.", layers[layer].Mixer);
            x = [.. x.Zip(mixed, Add)];
            IEnumerable<double[]> fed = Norm(x, prefix + "post_attention_layernorm").Select(row => Feed(row, prefix + "mlp.", layers[layer].FeedForward));
            x = [.. x.Zip(fed, Add)];
        }

        double[] head = Weight(config.Tied ? "model.embed_tokens.weight" : "lm_head.weight");
        return [.. Norm(x, "model.norm").SelectMany(row => Times(head, row))];
    }

    private double[][] Attention(double[][] x, string prefix, MixerConfig mixer)
    {
        double[][] q = Heads(x, prefix + "q_proj", config.Heads), k = Heads(x, prefix + "k_proj", config.KvHeads), v = Heads(x, prefix + "v_proj", config.KvHeads);
        GatePosition? gate = (mixer as GatedAttentionConfig)?.Gate;
        double[][] gates = gate is null ? [] : [.. x.Select(row => Times(Weight(prefix + "gate_proj.weight"), row).Select(Sigmoid).ToArray())];
        q = Turned(Gate(Normed(q, weights(prefix + "q_norm.weight")), gate == GatePosition.Queries, gates));
        k = Turned(Gate(Normed(k, weights(prefix + "k_norm.weight")), gate == GatePosition.Keys, gates));
        v = Gate(v, gate == GatePosition.Values, gates);
        double[][] z = Gate([.. x.Select((_, t) => Attend(t, q, k, v, mixer))], gate == GatePosition.AttentionOutput, gates);
        return Gate([.. z.Select(row => Linear(row, prefix + "o_proj"))], gate == GatePosition.Output, gates);
    }

    private double[][] Heads(double[][] x, string name, int heads)
    {
        double[][] y = [.. x.Select(row => Linear(row, name))];
        Assert.That(y[0], Has.Length.EqualTo(heads * config.HeadDim), name);
        return y;
    }

    // Gates are as many as elements, or one per head.
    private static double[][] Gate(double[][] y, bool isHere, double[][] gates) => !isHere
        ? y
        : [.. y.Select((row, t) => row.Select((value, i) => value * gates[t][i / (row.Length / gates[t].Length)]).ToArray())];

    // Each head normed, where there is a gain.
    private double[][] Normed(double[][] x, double[]? gain) => gain is null
        ? x
        : [.. x.Select(row => row.Chunk(config.HeadDim).SelectMany(head => Rms(head, gain)).ToArray())];

    // Each head turned by its position.
    private double[][] Turned(double[][] x) => config.Position != PositionKind.Rope
        ? x
        : [.. x.Select((row, t) => row.Chunk(config.HeadDim).SelectMany(head => Rotate(head, t)).ToArray())];

    private double[] Rotate(double[] head, int position)
    {
        var y = new double[head.Length];
        for (int i = 0; i < head.Length / 2; i++)
        {
            (int a, int b) = config.RopeInterleaved ? (2 * i, 2 * i + 1) : (i, i + head.Length / 2);
            (double sin, double cos) = Math.SinCos(position / Math.Pow(config.RopeBase, 2.0 * i / head.Length));
            y[a] = head[a] * cos - head[b] * sin;
            y[b] = head[b] * cos + head[a] * sin;
        }

        return y;
    }

    private double[] Attend(int t, double[][] q, double[][] k, double[][] v, MixerConfig mixer)
    {
        int d = config.HeadDim;
        var z = new double[config.Heads * d];
        for (int h = 0; h < config.Heads; h++)
        {
            int own = h * d, shared = h / (config.Heads / config.KvHeads) * d;
            double Score(int j) => Enumerable.Range(0, d).Sum(i => q[t][own + i] * k[j][shared + i]) / Math.Sqrt(d);
            IEnumerable<int> seen = Enumerable.Range(0, t + 1);
            int[] keys = mixer switch
            {
                SlidingWindowConfig window => [.. seen.Where(j => j > t - window.Window || j < window.Sinks)],
                TopKConfig topK => [.. seen.OrderByDescending(Score).ThenBy(j => j).Take(topK.TopK)],
                _ => [.. seen],
            };
            double sum = keys.Sum(j => Math.Exp(Score(j)));
            for (int i = 0; i < d; i++)
            {
                z[own + i] = keys.Sum(j => Math.Exp(Score(j)) / sum * v[j][shared + i]);
            }
        }

        return z;
    }

    private double[] Feed(double[] x, string prefix, FeedForwardConfig feedForward)
    {
        if (feedForward is not MoeConfig moe)
        {
            return Dense(x, prefix, ((DenseConfig)feedForward).Activation);
        }

        double[] exponentials = [.. Times(Weight(prefix + "gate.weight"), x).Select(Math.Exp)];
        double[] probabilities = [.. exponentials.Select(e => e / exponentials.Sum())];
        int[] chosen = [.. Enumerable.Range(0, moe.Experts).OrderByDescending(e => probabilities[e]).Take(moe.Active)];
        double share = moe.Renormalize ? chosen.Sum(e => probabilities[e]) : 1;
        double[] y = moe.Shared > 0 ? Dense(x, prefix + "shared_experts.", moe.Activation) : new double[x.Length];
        foreach (int e in chosen)
        {
            double[] Part(string name) => weights($"{prefix}experts.{name}.weight") is { } all ? Row(all, e, all.Length / moe.Experts) : [];
            double[] result = Times(Part("down_proj"), Activate(moe.Activation, Part("gate_proj") is { Length: > 0 } gate ? Times(gate, x) : null, Times(Part("up_proj"), x)));
            y = Add(y, [.. result.Select(r => r * probabilities[e] / share)]);
        }

        return y;
    }

    private double[] Dense(double[] x, string prefix, Activation activation) => Linear(
        Activate(activation, weights(prefix + "gate_proj.weight") is null ? null : Linear(x, prefix + "gate_proj"), Linear(x, prefix + "up_proj")), prefix + "down_proj");

    private static double[] Activate(Activation activation, double[]? gate, double[] up) => activation switch
    {
        Activation.Relu => [.. up.Select(u => Math.Max(u, 0))],
        Activation.Relu2 => [.. up.Select(u => Math.Max(u, 0) * Math.Max(u, 0))],
        Activation.Gelu => [.. up.Select(Gelu)],
        Activation.SwiGlu => [.. gate!.Zip(up, (g, u) => g * Sigmoid(g) * u)],
        _ => [.. gate!.Zip(up, (g, u) => Gelu(g) * u)],
    };

    private double[][] Norm(double[][] x, string name)
    {
        double[] gain = Weight(name + ".weight");
        if (config.Norm == NormKind.Rms)
        {
            return [.. x.Select(row => Rms(row, gain))];
        }

        double[] bias = Weight(name + ".bias");
        return [.. x.Select(row =>
        {
            double mean = row.Average(), variance = row.Average(v => (v - mean) * (v - mean));
            return row.Select((v, i) => (v - mean) / Math.Sqrt(variance + config.NormEpsilon) * gain[i] + bias[i]).ToArray();
        })];
    }

    private double[] Rms(double[] x, double[] gain) => [.. x.Select((v, i) => v / Math.Sqrt(x.Average(u => u * u) + config.NormEpsilon) * gain[i])];

    private double[] Linear(double[] x, string name)
    {
        double[] y = Times(Weight(name + ".weight"), x);
        return weights(name + ".bias") is { } bias ? Add(y, bias) : y;
    }

    private double[] Weight(string name) => weights(name) ?? throw new KeyNotFoundException(name);

    // W x, W row-major.
    private static double[] Times(double[] w, double[] x) =>
        [.. Enumerable.Range(0, w.Length / x.Length).Select(row => Enumerable.Range(0, x.Length).Sum(i => w[row * x.Length + i] * x[i]))];

    private static double[] Row(double[] values, int row, int length) => values[(row * length)..((row + 1) * length)];

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static double Gelu(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
}
