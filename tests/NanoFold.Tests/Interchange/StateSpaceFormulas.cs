using System.Text.Json.Nodes;

namespace NanoFold.Tests.Interchange;

/// <summary>
/// Mamba and Mamba-2 of transformers in float64, written from their published formulas: from the keys of a configuration and tensors by their published names to logits, one
/// place after the other.
/// </summary>
internal sealed class StateSpaceFormulas(JsonObject keys, IReadOnlyDictionary<string, (long[] Shape, float[] Values)> tensors)
{
    private readonly bool _isSecond = (string)keys["model_type"]! == "mamba2";

    private int Numbers => (int)keys["state_size"]!;

    /// <summary>Logits [T · V] of one row of tokens.</summary>
    public double[] Logits(int[] tokens)
    {
        double[][] x = [.. tokens.Select(token => Row("backbone.embeddings.weight", token))];
        for (int layer = 0; layer < (int)keys["num_hidden_layers"]!; layer++)
        {
            string at = $"backbone.layers.{layer}.";
            double[][] normed = [.. x.Select(row => Norm(row, $"{at}norm.weight"))], mixed = _isSecond ? Second(normed, $"{at}mixer.") : First(normed, $"{at}mixer.");
            x = [.. x.Zip(mixed, Add)];
        }

        string head = tensors.ContainsKey("lm_head.weight") ? "lm_head" : "backbone.embeddings";
        return [.. x.SelectMany(row => Linear(Norm(row, "backbone.norm_f.weight"), head))];
    }

    private double[][] First(double[][] x, string at)
    {
        double[][] both = [.. x.Select(row => Linear(row, $"{at}in_proj"))];
        int inner = both[0].Length / 2, rank = (int)keys["time_step_rank"]!;
        double[][] u = Convolved([.. both.Select(row => row[..inner])], at);
        double[] logs = Values($"{at}A_log"), skip = Values($"{at}D");
        var h = new double[inner, Numbers];
        return [.. u.Select((row, t) =>
        {
            double[] made = Linear(row, $"{at}x_proj"), dt = [.. Linear(made[..rank], $"{at}dt_proj").Select(Softplus)];
            var y = new double[inner];
            for (int c = 0; c < inner; c++)
            {
                y[c] = skip[c] * row[c];
                for (int n = 0; n < Numbers; n++)
                {
                    h[c, n] = (Math.Exp(-dt[c] * Math.Exp(logs[(c * Numbers) + n])) * h[c, n]) + (dt[c] * made[rank + n] * row[c]);
                    y[c] += made[rank + Numbers + n] * h[c, n];
                }

                y[c] *= Silu(both[t][inner + c]);
            }

            return Linear(y, $"{at}out_proj");
        })];
    }

    private double[][] Second(double[][] x, string at)
    {
        int heads = (int)keys["num_heads"]!, width = (int)keys["head_dim"]!, groups = (int)keys["n_groups"]!, inner = heads * width, joined = inner + (2 * groups * Numbers);
        double[] limits = keys["time_step_limit"] is JsonArray list ? [.. list.Select(limit => (double)limit!)] : [0, double.PositiveInfinity];
        double[][] all = [.. x.Select(row => Linear(row, $"{at}in_proj"))], convolved = Convolved([.. all.Select(row => row[inner..(inner + joined)])], at);
        double[] logs = Values($"{at}A_log"), skip = Values($"{at}D"), bias = Values($"{at}dt_bias");
        var h = new double[inner, Numbers];
        return [.. convolved.Select((row, t) =>
        {
            var y = new double[inner];
            for (int c = 0; c < inner; c++)
            {
                int head = c / width, b = inner + (head / (heads / groups) * Numbers);
                double dt = Math.Clamp(Softplus(all[t][inner + joined + head] + bias[head]), limits[0], limits[1]);
                y[c] = skip[head] * row[c];
                for (int n = 0; n < Numbers; n++)
                {
                    h[c, n] = (Math.Exp(-dt * Math.Exp(logs[head])) * h[c, n]) + (dt * row[c] * row[b + n]);
                    y[c] += row[b + (groups * Numbers) + n] * h[c, n];
                }

                y[c] *= Silu(all[t][c]);
            }

            return Linear(Norm(y, $"{at}norm.weight"), $"{at}out_proj");
        })];
    }

    private double[][] Convolved(double[][] x, string at)
    {
        double[] weight = Values($"{at}conv1d.weight");
        double[]? bias = tensors.ContainsKey($"{at}conv1d.bias") ? Values($"{at}conv1d.bias") : null;
        int taps = weight.Length / x[0].Length;
        return [.. x.Select((row, t) => row.Select((_, c) =>
            Silu((bias?[c] ?? 0) + Enumerable.Range(0, taps).Where(j => t - taps + 1 + j >= 0).Sum(j => weight[(c * taps) + j] * x[t - taps + 1 + j][c]))).ToArray())];
    }

    private double[] Norm(double[] x, string gain) =>
        [.. x.Zip(Values(gain), (v, g) => v * g / Math.Sqrt(x.Average(u => u * u) + (double)keys["layer_norm_epsilon"]!))];

    private double[] Linear(double[] x, string name)
    {
        double[] weight = Values($"{name}.weight"), y = [.. Enumerable.Range(0, weight.Length / x.Length).Select(row => x.Select((v, i) => v * weight[(row * x.Length) + i]).Sum())];
        return tensors.ContainsKey($"{name}.bias") ? Add(y, Values($"{name}.bias")) : y;
    }

    private double[] Row(string name, int row)
    {
        int width = (int)tensors[name].Shape[1];
        return Values(name)[(row * width)..((row + 1) * width)];
    }

    private double[] Values(string name) => Array.ConvertAll(tensors[name].Values, v => (double)v);

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (u, v) => u + v)];

    private static double Softplus(double x) => Math.Log(1 + Math.Exp(x));

    private static double Silu(double x) => x / (1 + Math.Exp(-x));
}
