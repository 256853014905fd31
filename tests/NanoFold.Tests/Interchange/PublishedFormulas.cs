using System.Text.Json.Nodes;

namespace NanoFold.Tests.Interchange;

/// <summary>
/// The decoders of transformers in float64, written from their published formulas: from the keys of a configuration and tensors by their published names to logits. It knows
/// nothing of this program's configurations, names and layouts.
/// </summary>
internal sealed class PublishedFormulas(JsonObject keys, IReadOnlyDictionary<string, (long[] Shape, float[] Values)> tensors)
{
    private readonly string _type = (string)keys["model_type"]!;

    private bool IsGemma => _type.StartsWith("gemma", StringComparison.Ordinal);

    private bool HasLayerNorm => _type is "gpt2" or "gpt_neox" or "phi" or "stablelm" or "cohere";

    private int Width => Integer("hidden_size", "n_embd");

    private int Heads => Integer("num_attention_heads", "n_head");

    private int KvHeads => keys["num_key_value_heads"] is { } node ? (int)node : Heads;

    private int HeadDim => keys["head_dim"] is { } node ? (int)node : Width / Heads;

    /// <summary>Logits [T, V] of one row of tokens.</summary>
    public double[][] Logits(int[] tokens)
    {
        string embedding = _type switch { "gpt2" => "transformer.wte", "gpt_neox" => "gpt_neox.embed_in", _ => "model.embed_tokens" };
        double scale = IsGemma ? Math.Sqrt(Width) : 1;
        double[][] x = [.. tokens.Select(token => Row(embedding, token).Select(v => v * scale).ToArray())];
        if (_type == "gpt2")
        {
            x = Add(x, [.. tokens.Select((_, t) => Row("transformer.wpe", t))]);
        }

        for (int layer = 0; layer < Integer("num_hidden_layers", "n_layer"); layer++)
        {
            x = Layer(x, layer);
        }

        x = Norm(x, _type switch { "gpt2" => "transformer.ln_f", "gpt_neox" => "gpt_neox.final_layer_norm", "phi" => "model.final_layernorm", _ => "model.norm" });
        string head = _type == "gpt_neox" ? "embed_out" : "lm_head";
        double[][] logits = Linear(x, tensors.ContainsKey($"{head}.weight") ? head : embedding);
        double cap = Number("final_logit_softcapping", 0), factor = Number("logit_scale", 1);
        return Map(logits, v => cap > 0 ? cap * Math.Tanh(v / cap) : v * factor);
    }

    private double[][] Layer(double[][] x, int layer)
    {
        string at = _type switch { "gpt2" => $"transformer.h.{layer}.", "gpt_neox" => $"gpt_neox.layers.{layer}.", _ => $"model.layers.{layer}." };
        string first = _type == "gpt2" ? "ln_1" : "input_layernorm", second = _type == "gpt2" ? "ln_2" : "post_attention_layernorm";
        double[][] Attend(double[][] read) => Attention(read, at, layer);
        double[][] Feed(double[][] read) => FeedForward(read, at, layer);
        if (_type is "gemma2" or "gemma3_text")
        {
            x = Add(x, Norm(Attend(Norm(x, at + first)), at + second));
            return Add(x, Norm(Feed(Norm(x, $"{at}pre_feedforward_layernorm")), $"{at}post_feedforward_layernorm"));
        }

        if (_type == "olmo2")
        {
            x = Add(x, Norm(Attend(x), at + second));
            return Add(x, Norm(Feed(x), $"{at}post_feedforward_layernorm"));
        }

        if (_type is "phi" or "cohere" || Flag("use_parallel_residual", _type == "gpt_neox"))
        {
            double[][] normed = Norm(x, at + first);
            return Add(Add(x, Attend(normed)), Feed(_type == "gpt_neox" ? Norm(x, at + second) : normed));
        }

        x = Add(x, Attend(Norm(x, at + first)));
        return Add(x, Feed(Norm(x, at + second)));
    }

    private double[][] Attention(double[][] x, string at, int layer)
    {
        (int heads, int kv, int width, int time) = (Heads, KvHeads, HeadDim, x.Length);
        (double[][] q, double[][] k, double[][] v) = Projections(x, at);
        bool slides = Slides(layer);
        int window = slides ? (int)keys["sliding_window"]! : int.MaxValue;
        double[][][] queries = Split(q, heads, width), keyed = Split(k, kv, width), values = Split(v, kv, width);
        queries = NormHeads(queries, at, "q");
        keyed = NormHeads(keyed, at, "k");
        if (Turns(layer))
        {
            double theta = slides && _type == "gemma3_text" ? Number("rope_local_base_freq", 0) : Number(_type == "gpt_neox" ? "rotary_emb_base" : "rope_theta", 10000);
            queries = [.. queries.Select((row, t) => row.Select(head => Turned(head, t, theta)).ToArray())];
            keyed = [.. keyed.Select((row, t) => row.Select(head => Turned(head, t, theta)).ToArray())];
        }

        if (_type == "diffllama")
        {
            float[] Lambda(string name) => tensors[$"{at}self_attn.lambda_{name}"].Values;
            double lambda = Math.Exp(Lambda("q1").Zip(Lambda("k1"), (a, b) => (double)a * b).Sum()) - Math.Exp(Lambda("q2").Zip(Lambda("k2"), (a, b) => (double)a * b).Sum());
            return Linear(DifferentialFormula.Attend(queries, keyed, values, lambda, layer, EpsilonOf()), $"{at}self_attn.o_proj");
        }

        double scale = 1 / Math.Sqrt(Number("query_pre_attn_scalar", width)), cap = Number("attn_logit_softcapping", 0);
        double[][] z = [.. Enumerable.Range(0, time).Select(_ => new double[heads * width])];
        for (int t = 0; t < time; t++)
        {
            for (int h = 0; h < heads; h++)
            {
                int g = h / (heads / kv), from = (int)Math.Max(0L, (long)t - window + 1);
                double[] scores = [.. Enumerable.Range(from, t + 1 - from).Select(j => Dot(queries[t][h], keyed[j][g]) * scale)];
                scores = cap > 0 ? [.. scores.Select(s => cap * Math.Tanh(s / cap))] : scores;
                double[] weights = Softmax(scores);
                for (int j = from; j <= t; j++)
                {
                    for (int d = 0; d < width; d++)
                    {
                        z[t][(h * width) + d] += weights[j - from] * values[j][g][d];
                    }
                }
            }
        }

        return Linear(z, at + (_type switch { "gpt2" => "attn.c_proj", "gpt_neox" => "attention.dense", "phi" => "self_attn.dense", _ => "self_attn.o_proj" }));
    }

    private (double[][] Q, double[][] K, double[][] V) Projections(double[][] x, string at)
    {
        int q = Heads * HeadDim, k = KvHeads * HeadDim, width = HeadDim;
        switch (_type)
        {
            case "gpt2" or "phi3":
                double[][] joined = Linear(x, at + (_type == "gpt2" ? "attn.c_attn" : "self_attn.qkv_proj"));
                return (Columns(joined, i => i, q), Columns(joined, i => q + i, k), Columns(joined, i => q + k + i, k));
            case "gpt_neox":
                double[][] byHead = Linear(x, at + "attention.query_key_value");
                double[][] Part(int part) => Columns(byHead, i => (((3 * (i / width)) + part) * width) + (i % width), q);
                return (Part(0), Part(1), Part(2));
            default:
                return (Linear(x, at + "self_attn.q_proj"), Linear(x, at + "self_attn.k_proj"), Linear(x, at + "self_attn.v_proj"));
        }
    }

    // Norms of queries or keys, where there are any.
    private double[][][] NormHeads(double[][][] heads, string at, string which)
    {
        int width = HeadDim;
        double Epsilon() => EpsilonOf();
        switch (_type)
        {
            case "qwen3" or "qwen3_moe" or "gemma3_text":
                return [.. heads.Select(row => row.Select(head => Norm([head], $"{at}self_attn.{which}_norm")[0]).ToArray())];
            case "olmo2":
                return [.. heads.Select(row => Split([Norm([[.. row.SelectMany(head => head)]], $"{at}self_attn.{which}_norm")[0]], row.Length, width)[0])];
            case "phi" when Flag("qk_layernorm", false):
                return [.. heads.Select(row => row.Select(head => Norm([head], $"{at}self_attn.{which}_layernorm")[0]).ToArray())];
            case "stablelm" when Flag("qk_layernorm", false):
                return [.. heads.Select(row => row.Select((head, h) => Norm([head], $"{at}self_attn.{which}_layernorm.norms.{h}")[0]).ToArray())];
            case "cohere" when Flag("use_qk_norm", false):
                float[] gains = tensors[$"{at}self_attn.{which}_norm.weight"].Values;
                return [.. heads.Select(row => row.Select((head, h) => Standardized(head, Epsilon(), center: true).Select((v, d) => v * gains[(h * width) + d]).ToArray()).ToArray())];
            default:
                return heads;
        }
    }

    private double[][] FeedForward(double[][] x, string at, int layer)
    {
        Func<double, double> f = Activation((string)(keys["hidden_activation"] ?? keys["hidden_act"] ?? keys["activation_function"])!);
        if (_type is "gpt2" or "gpt_neox" or "phi")
        {
            (string up, string down) = _type switch { "gpt2" => ("mlp.c_fc", "mlp.c_proj"), "phi" => ("mlp.fc1", "mlp.fc2"), _ => ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h") };
            return Linear(Map(Linear(x, at + up), f), at + down);
        }

        if (_type == "phi3")
        {
            double[][] joined = Linear(x, $"{at}mlp.gate_up_proj");
            int hidden = joined[0].Length / 2;
            return Linear([.. joined.Select(row => Enumerable.Range(0, hidden).Select(i => f(row[i]) * row[hidden + i]).ToArray())], $"{at}mlp.down_proj");
        }

        bool hasExperts = _type == "mixtral"
            || (_type == "qwen3_moe" && (layer + 1) % (int)keys["decoder_sparse_step"]! == 0 && !keys["mlp_only_layers"]!.AsArray().Any(only => (int)only! == layer));
        return hasExperts ? [.. x.Select(row => Experts(row, at, f))] : Gated(x, $"{at}mlp.gate_proj", $"{at}mlp.up_proj", $"{at}mlp.down_proj", f);
    }

    private double[] Experts(double[] x, string at, Func<double, double> f)
    {
        bool isMixtral = _type == "mixtral";
        string of = at + (isMixtral ? "block_sparse_moe" : "mlp");
        double[] probabilities = Softmax(Linear([x], $"{of}.gate")[0]);
        int[] chosen = [.. Enumerable.Range(0, probabilities.Length).OrderByDescending(e => probabilities[e]).Take((int)keys["num_experts_per_tok"]!)];
        double sum = isMixtral || Flag("norm_topk_prob", false) ? chosen.Sum(e => probabilities[e]) : 1;
        double[] y = new double[x.Length];
        foreach (int e in chosen)
        {
            string expert = $"{of}.experts.{e}.";
            double[] made = isMixtral ? Gated([x], expert + "w1", expert + "w3", expert + "w2", f)[0] : Gated([x], expert + "gate_proj", expert + "up_proj", expert + "down_proj", f)[0];
            y = [.. y.Select((v, i) => v + (probabilities[e] / sum * made[i]))];
        }

        return y;
    }

    private double[][] Gated(double[][] x, string gate, string up, string down, Func<double, double> f) =>
        Linear([.. Linear(x, gate).Zip(Linear(x, up), (g, u) => g.Zip(u, (a, b) => f(a) * b).ToArray())], down);

    private bool Slides(int layer)
    {
        if (keys["layer_types"] is JsonArray types)
        {
            return (string)types[layer]! == "sliding_attention";
        }

        return keys["sliding_window"] is not null && _type is "mistral" or "mixtral" or "phi3";
    }

    private bool Turns(int layer) => _type != "gpt2" && (keys["no_rope_layers"] is not JsonArray turns || (int)turns[layer]! == 1);

    // The first elements of a head, turned by a position.
    private double[] Turned(double[] head, int position, double theta)
    {
        int n = (int)(HeadDim * Number("partial_rotary_factor", Number("rotary_pct", 1)));
        double[] y = [.. head];
        for (int m = 0; m < n / 2; m++)
        {
            (int a, int b) = _type == "cohere" ? (2 * m, (2 * m) + 1) : (m, m + (n / 2));
            (double sin, double cos) = Math.SinCos(position * Math.Pow(theta, -2.0 * m / n));
            (y[a], y[b]) = ((head[a] * cos) - (head[b] * sin), (head[b] * cos) + (head[a] * sin));
        }

        return y;
    }

    private double[][] Norm(double[][] x, string name)
    {
        float[] gain = tensors[$"{name}.weight"].Values;
        float[]? bias = tensors.TryGetValue($"{name}.bias", out (long[] Shape, float[] Values) found) ? found.Values : null;
        double one = IsGemma ? 1 : 0;
        return [.. x.Select(row => Standardized(row, EpsilonOf(), HasLayerNorm).Select((v, i) => (v * (one + gain[i])) + (bias?[i] ?? 0)).ToArray())];
    }

    private static double[] Standardized(double[] x, double epsilon, bool center)
    {
        double mean = center ? x.Average() : 0, variance = x.Average(v => (v - mean) * (v - mean));
        return [.. x.Select(v => (v - mean) / Math.Sqrt(variance + epsilon))];
    }

    private double EpsilonOf() => (double)(keys["rms_norm_eps"] ?? keys["layer_norm_eps"] ?? keys["layer_norm_epsilon"])!;

    // W [out, in], or [in, out] in GPT-2's blocks.
    private double[][] Linear(double[][] x, string name)
    {
        (long[] shape, float[] w) = tensors[$"{name}.weight"];
        float[]? bias = tensors.TryGetValue($"{name}.bias", out (long[] Shape, float[] Values) found) ? found.Values : null;
        bool isTurned = _type == "gpt2" && name.Contains(".h.", StringComparison.Ordinal);
        (int outputs, int inputs) = isTurned ? ((int)shape[1], (int)shape[0]) : ((int)shape[0], (int)shape[1]);
        return [.. x.Select(row => Enumerable.Range(0, outputs).Select(o =>
            (bias?[o] ?? 0.0) + Enumerable.Range(0, inputs).Sum(i => row[i] * w[isTurned ? (i * outputs) + o : (o * inputs) + i])).ToArray())];
    }

    private double[] Row(string name, int row)
    {
        (long[] shape, float[] values) = tensors[$"{name}.weight"];
        return [.. Enumerable.Range(0, (int)shape[1]).Select(i => (double)values[(row * shape[1]) + i])];
    }

    private static Func<double, double> Activation(string name) => name switch
    {
        "silu" => x => x / (1 + Math.Exp(-x)),
        "gelu" => Suites.Numbers.Gelu,
        _ => Suites.Numbers.GeluTanh,
    };

    private static double[][][] Split(double[][] x, int heads, int width) => [.. x.Select(row => Enumerable.Range(0, heads).Select(h => row[(h * width)..((h + 1) * width)]).ToArray())];

    private static double[][] Columns(double[][] x, Func<int, int> place, int count) => [.. x.Select(row => Enumerable.Range(0, count).Select(i => row[place(i)]).ToArray())];

    private static double[][] Add(double[][] a, double[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (u, v) => u + v).ToArray())];

    private static double[][] Map(double[][] x, Func<double, double> f) => [.. x.Select(row => row.Select(f).ToArray())];

    private static double Dot(double[] a, double[] b) => a.Zip(b, (u, v) => u * v).Sum();

    private static double[] Softmax(double[] x)
    {
        double most = x.Max(), sum = x.Sum(v => Math.Exp(v - most));
        return [.. x.Select(v => Math.Exp(v - most) / sum)];
    }

    private int Integer(string key, string other) => (int)(keys[key] ?? keys[other])!;

    private double Number(string key, double otherwise) => keys[key] is { } node ? (double)node : otherwise;

    private bool Flag(string key, bool otherwise) => keys[key] is { } node ? (bool)node : otherwise;
}
