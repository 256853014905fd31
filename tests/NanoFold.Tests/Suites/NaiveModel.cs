using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Tests.FeedForward.References;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Residuals.References;

namespace NanoFold.Tests.Suites;

/// <summary>The forward pass of a model in plain loops over doubles, one sequence at a time, from its weights by name and the references of its parts.</summary>
/// <param name="config">The model.</param>
/// <param name="weights">Of a name, or null where there are none.</param>
/// <param name="prefix">First tokens that all see, where the model's visibility is a prefix.</param>
internal sealed class NaiveModel(ModelConfig config, Func<string, double[]?> weights, int prefix = 0)
{
    private readonly NaiveLayer _model = new(config, weights, "model.", prefix);

    /// <summary>Logits [T · V].</summary>
    public double[] Logits(int[] tokens)
    {
        double[] head = config.Tied ? _model.Weight("embed_tokens.weight") : weights("lm_head.weight")!;
        double[][] x = [.. tokens.Select(token => NaiveLayer.Row(_model.Weight("embed_tokens.weight"), token, config.Width).Select(v => config.EmbeddingScale * v).ToArray())];
        return [.. Body(x).SelectMany(row => NaiveLayer.Times(head, row).Select((product, v) =>
        {
            double logit = (config.LogitScale * product) + (config.HeadBias ? weights("lm_head.bias")![v] : 0);
            return config.LogitCap > 0 ? config.LogitCap * Math.Tanh(logit / config.LogitCap) : logit;
        }))];
    }

    /// <summary>Values [T · O] of features [T][F].</summary>
    public double[] Values(double[][] features)
    {
        var whole = new NaiveLayer(config, weights, "", prefix);
        return [.. Body([.. features.Select(row => _model.Linear(row, "read_in"))]).SelectMany(row => whole.Linear(row, "read_out"))];
    }

    // The normed stream [T][C] of what is looked up or read in.
    private double[][] Body(double[][] x)
    {
        x = [.. x.Select((row, t) => _model.Find("embed_positions.weight") is { } positions ? NaiveLayer.Add(row, NaiveLayer.Row(positions, t, config.Width)) : row)];
        NaiveStream stream = ResidualReference.Of(config.Residual).Begin(config.Residual, _model, x);
        IReadOnlyList<LayerConfig> layers = config.LayerConfigs();
        for (int l = 0; l < layers.Count; l++)
        {
            int i = l;
            NaiveLayer layer = _model.In($"layers.{i}");
            bool mixes = layers[i].Mixer.Traits(config).Mixes, feeds = layers[i].FeedForward.IsThere, isParallel = mixes && feeds && config.Parallel != ParallelKind.None;
            bool hasPre = config.NormPlace != NormPlaceKind.Post, hasPost = config.NormPlace != NormPlaceKind.Pre;
            double[][] Before(double[][] x, string name) => hasPre ? layer.Norm(x, name) : x;
            double[][] After(double[][] x, string name) => hasPost ? layer.Norm(x, name) : x;
            double[][] Mixed(double[][] read) =>
                After(MixerReference.Of(layers[i].Mixer).Forward(layers[i].Mixer, layer.In("self_attn"), Before(read, "input_layernorm")), "post_attention_layernorm");
            double[][] Fed(double[][] read)
            {
                string norm = isParallel && config.Parallel == ParallelKind.OneNorm ? "input_layernorm" : hasPost ? "pre_feedforward_layernorm" : "post_attention_layernorm";
                FeedForwardReference feed = FeedForwardReference.Of(layers[i].FeedForward);
                return After([.. Before(read, norm).Select(row => feed.Forward(layers[i].FeedForward, layer.In("mlp"), row))], "post_feedforward_layernorm");
            }

            if (isParallel)
            {
                stream.Around(layer, "attn_residual", read => [.. Mixed(read).Zip(Fed(read), NaiveLayer.Add)]);
                continue;
            }

            if (mixes)
            {
                stream.Around(layer, "attn_residual", Mixed);
            }

            if (feeds)
            {
                stream.Around(layer, "mlp_residual", Fed);
            }
        }

        return _model.Norm(stream.End(_model), "norm");
    }

    /// <summary>The weights of a layer's mixer [H · T · T] at a normed input [T][C].</summary>
    public double[] Pattern(int layer, double[][] x)
    {
        var mixer = config.LayerConfigs()[layer].Mixer;
        return [.. MixerReference.Of(mixer).Pattern(mixer, _model.In($"layers.{layer}").In("self_attn"), x).SelectMany(head => head.SelectMany(row => row))];
    }
}

/// <summary>The weights of one part of a model by their names below a prefix, and plain arithmetic with them: rows of doubles, one token at a time.</summary>
internal sealed class NaiveLayer(ModelConfig model, Func<string, double[]?> weights, string prefix, int shown = 0)
{
    public ModelConfig Model => model;

    /// <summary>Of the layer, in <c>model.layers.3.self_attn.</c>; 0 outside one.</summary>
    public int Number => prefix.Split('.') is ["model", "layers", { } number, ..] ? int.Parse(number, System.Globalization.CultureInfo.InvariantCulture) : 0;

    /// <summary>The part of that name within this one.</summary>
    public NaiveLayer In(string name) => new(model, weights, $"{prefix}{name}.", shown);

    /// <summary>The keys that the model shows query t of a sequence.</summary>
    public IReadOnlyList<int> Shown(int t, int length) =>
    [
        .. Enumerable.Range(0, length).Where(j => model.Visibility switch
        {
            VisibilityKind.Full => true,
            VisibilityKind.Prefix => j <= t || j < shown,
            _ => j <= t,
        }),
    ];

    public bool Has(string name) => weights(prefix + name) is not null;

    public double[]? Find(string name) => weights(prefix + name);

    public double[] Weight(string name) => Find(name) ?? throw new KeyNotFoundException(prefix + name);

    /// <summary>W x, with the bias where there is one.</summary>
    public double[] Linear(double[] x, string name)
    {
        double[] y = Times(Weight(name + ".weight"), x);
        return Find(name + ".bias") is { } bias ? Add(y, bias) : y;
    }

    /// <summary>The model's norm of that name.</summary>
    public double[][] Norm(double[][] x, string name)
    {
        double[] gain = FromOne(Weight(name + ".weight"));
        double[]? bias = Find(name + ".bias");
        return model.Norm == NormKind.Rms ? [.. x.Select(row => Rms(row, gain))] : [.. x.Select(row =>
        {
            double mean = row.Average(), variance = row.Average(v => (v - mean) * (v - mean));
            return row.Select((v, i) => (v - mean) / Math.Sqrt(variance + model.NormEpsilon) * gain[i] + (bias?[i] ?? 0)).ToArray();
        })];
    }

    public double[] Rms(double[] x, double[] gain) => Rms(x, gain, model.NormEpsilon);

    public static double[] Rms(double[] x, double[] gain, double epsilon) => [.. x.Select((v, i) => v / Math.Sqrt(x.Average(u => u * u) + epsilon) * gain[i])];

    /// <summary>A row by the norm of queries and keys, with the gain and bias given.</summary>
    public double[] QkNorm(double[] row, double[] gain, double[]? bias)
    {
        gain = FromOne(gain);
        if (model.QkNormKind == NormKind.Rms)
        {
            return Rms(row, gain);
        }

        double mean = row.Average(), variance = row.Average(v => (v - mean) * (v - mean));
        return [.. row.Select((v, i) => ((v - mean) / Math.Sqrt(variance + model.NormEpsilon) * gain[i]) + (bias?[i] ?? 0))];
    }

    /// <summary>Gains as they act.</summary>
    private double[] FromOne(double[] gain) => model.NormGainFromOne ? [.. gain.Select(g => 1 + g)] : gain;

    /// <summary>One head turned by its position, as the model says.</summary>
    public double[] Rotate(double[] head, int position) => Rotate(head, position, model.RopeBase, model.RopeScaling);

    public double[] Rotate(double[] head, int position, double ropeBase, RopeScalingConfig scaling)
    {
        double[] frequencies = scaling.Frequencies(new RopeAngles(ropeBase, head.Length, model.Context), model.Context);
        var y = new double[head.Length];
        for (int i = 0; i < head.Length / 2; i++)
        {
            (int a, int b) = model.RopeInterleaved ? (2 * i, 2 * i + 1) : (i, i + head.Length / 2);
            (double sin, double cos) = Math.SinCos(position * frequencies[i]);
            (sin, cos) = (sin * scaling.FactorOn, cos * scaling.FactorOn);
            y[a] = head[a] * cos - head[b] * sin;
            y[b] = head[b] * cos + head[a] * sin;
        }

        return y;
    }

    /// <summary>W x, W row-major.</summary>
    public static double[] Times(double[] w, double[] x) =>
        [.. Enumerable.Range(0, w.Length / x.Length).Select(row => Enumerable.Range(0, x.Length).Sum(i => w[row * x.Length + i] * x[i]))];

    public static double[] Row(double[] values, int row, int length) => values[(row * length)..((row + 1) * length)];

    public static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    public static double[] Multiply(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x * y)];

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}

/// <summary>References of kinds, found in this assembly.</summary>
internal static class ReferenceTypes
{
    public static IEnumerable<T> All<T>() => typeof(T).Assembly.GetTypes()
        .Where(type => !type.IsAbstract && typeof(T).IsAssignableFrom(type))
        .Select(type => (T)Activator.CreateInstance(type, nonPublic: true)!);
}
