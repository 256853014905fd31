using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Heads with a matrix as state, one token after the other: a variant says what queries, keys and values are, how the state fades and what is written to it.</summary>
internal abstract class RecurrentHeads<TConfig> : MixerReference<TConfig>
    where TConfig : RecurrentHeadsConfig
{
    public override int? Length(string letter, MixerConfig mixer, ModelConfig model)
    {
        HeadShape shape = ((TConfig)mixer).ShapeFor(model);
        return letter switch { "H" => shape.Heads, "D" => shape.HeadDim, _ => null };
    }

    /// <summary>The first tokens read little of a head, which its norm then makes as large as any.</summary>
    public override double Sensitivity => IsNormalized ? 1 : 4;

    /// <summary>The kinds share their kernels: one of them reaches all.</summary>
    public override IReadOnlyList<string> Quick(string kind) => [];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    /// <summary>Projected channels [T][..] of q, k or v, before they are split into heads.</summary>
    protected virtual double[][] Channels(TConfig mixer, double[]? filter, double[][] x) => x;

    /// <summary>What becomes of a query or key.</summary>
    protected virtual double[] Feature(TConfig mixer, ModelConfig model, double[] head, int position) => head;

    /// <summary>Factors [D] of the state along the key.</summary>
    protected virtual double[] Decay(TConfig mixer, NaiveLayer layer, double[] x, int head, int keyWidth) => [.. Enumerable.Repeat(1.0, keyWidth)];

    /// <summary>β of the delta rule, or null.</summary>
    protected virtual double? Beta(TConfig mixer, NaiveLayer layer, double[] x, int head) => null;

    /// <summary>What is read, before norm and gate, divided by the sum of the weights where that is asked for.</summary>
    protected virtual bool IsNormalized => false;

    /// <summary>What is read is divided by it where it is not normalized.</summary>
    protected virtual double Divisor(int keyWidth) => Math.Sqrt(keyWidth);

    /// <summary>What all heads give [H · DV], after their own norms, times a gate where there is one.</summary>
    protected virtual double[] Ended(TConfig mixer, NaiveLayer layer, double[] x, double[] z) =>
        layer.Has("g_proj.weight") ? NaiveLayer.Multiply(z, [.. layer.Linear(x, "g_proj").Select(Silu)]) : z;

    protected override double[][] Forward(TConfig mixer, NaiveLayer layer, double[][] x)
    {
        HeadShape shape = mixer.ShapeFor(layer.Model);
        (int d, int dv) = (shape.HeadDim, shape.ValueDim);
        double[][][] q = Heads(mixer, layer, x, "q", d), k = Heads(mixer, layer, x, "k", d), v = Heads(mixer, layer, x, "v", dv);
        var states = new double[shape.Heads][];
        var sums = new double[shape.Heads][];
        var z = new double[x.Length][];
        for (int t = 0; t < x.Length; t++)
        {
            z[t] = [.. Enumerable.Range(0, shape.Heads).SelectMany(h =>
            {
                double[] Of(double[][] heads) => heads[h / (shape.Heads / heads.Length)];
                double[] query = Of(q[t]), key = Of(k[t]), value = Of(v[t]);
                double[] state = states[h] ??= new double[d * dv], sum = sums[h] ??= new double[d];
                Update(state, Decay(mixer, layer, x[t], h, d), key, value, Beta(mixer, layer, x[t], h));
                sums[h] = NaiveLayer.Add(sum, key);
                double weights = Enumerable.Range(0, d).Sum(i => query[i] * sums[h][i]);
                double[] read = [.. Enumerable.Range(0, dv).Select(j => Enumerable.Range(0, d).Sum(i => query[i] * state[i * dv + j]) / (IsNormalized ? weights : Divisor(d)))];
                return layer.Find("o_norm.weight") is { } gain ? layer.Rms(read, gain) : read;
            })];
            z[t] = Ended(mixer, layer, x[t], z[t]);
        }

        return [.. z.Select(row => layer.Linear(row, "o_proj"))];
    }

    protected static double Silu(double x) => x * NaiveLayer.Sigmoid(x);

    protected static double Softplus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    /// <summary>Queries, keys or values, [T][heads][width].</summary>
    protected double[][][] Heads(TConfig mixer, NaiveLayer layer, double[][] x, string letter, int width)
    {
        double[][] rows = Channels(mixer, layer.Find($"{letter}_conv1d.weight"), [.. x.Select(row => layer.Linear(row, $"{letter}_proj"))]);
        return [.. rows.Select((row, t) => row.Chunk(width).Select(head =>
            letter == "v" ? head : Feature(mixer, layer.Model, layer.Find($"{letter}_norm.weight") is { } gain ? layer.Rms(head, gain) : head, t)).ToArray())];
    }

    private static void Update(double[] state, double[] decay, double[] key, double[] value, double? beta)
    {
        int width = value.Length;
        for (int i = 0; i < state.Length; i++)
        {
            state[i] *= decay[i / width];
        }

        double[] written = [.. value.Select((own, j) => beta is { } share ? share * (own - key.Select((e, i) => e * state[i * width + j]).Sum()) : own)];
        for (int i = 0; i < state.Length; i++)
        {
            state[i] += key[i / width] * written[i % width];
        }
    }
}

/// <summary>A depthwise causal convolution.</summary>
internal static class NaiveConvolution
{
    /// <summary>x [T][C] by a filter [C · K], the last of a channel for the own token.</summary>
    public static double[][] Of(double[][] x, double[] filter, double[]? bias = null)
    {
        int taps = filter.Length / x[0].Length;
        return [.. x.Select((row, t) => row.Select((_, c) =>
            (bias?[c] ?? 0) + Enumerable.Range(0, Math.Min(taps, t + 1)).Sum(back => filter[(c + 1) * taps - 1 - back] * x[t - back][c])).ToArray())];
    }
}
