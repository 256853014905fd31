using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Keys that most decoders of transformers have, read and written.</summary>
internal static class DecoderKeys
{
    // Caches and rows of evaluations are as long as the context; a longer one is to be asked for.
    private const int LongestContext = 1 << 13;

    private const string FullAttention = "full_attention", SlidingAttention = "sliding_attention";

    /// <summary>Sizes, norms, positions and ends by the names of Llama.</summary>
    /// <param name="keys">Where they stand.</param>
    /// <param name="context">Where <c>max_position_embeddings</c> says nothing.</param>
    /// <param name="epsilon">Where <paramref name="epsilonKey"/> says nothing.</param>
    /// <param name="epsilonKey">Of what norms add.</param>
    /// <param name="tied">Where <c>tie_word_embeddings</c> says nothing.</param>
    /// <param name="theta">Where <c>rope_theta</c> says nothing.</param>
    /// <param name="kvHeads">Where <c>num_key_value_heads</c> is not there; null for as many as there are heads, as where it is null.</param>
    /// <param name="hidden">Where <c>intermediate_size</c> says nothing; null where it must be there.</param>
    public static ModelConfig Read(
        ForeignConfig keys, int context = 2048, double epsilon = 1e-6, string epsilonKey = "rms_norm_eps", bool tied = false, double theta = 10000, int? kvHeads = null, int? hidden = null)
    {
        int width = keys.Integer("hidden_size"), heads = keys.Count("num_attention_heads", 4096);
        return RopeKeys.Read(keys, new ModelConfig
        {
            Layers = keys.Count("num_hidden_layers", 4096),
            Width = width,
            Heads = heads,
            KvHeads = keys.Integer("num_key_value_heads", keys.Names.Contains("num_key_value_heads") ? heads : kvHeads ?? heads),
            HeadDim = keys.Integer("head_dim", width / heads),
            Context = ContextOf(keys, keys.Integer("max_position_embeddings", context)),
            Vocab = keys.Integer("vocab_size"),
            Hidden = keys.Integer("intermediate_size", hidden),
            NormEpsilon = keys.Number(epsilonKey, epsilon),
            Tied = keys.Flag("tie_word_embeddings", tied),
        }, keys.Integer("max_position_embeddings", context), theta);
    }

    /// <summary>The context of a model that says it reads so many tokens: that many, but no more than what is usual, or as many as were asked for.</summary>
    public static int ContextOf(ForeignConfig keys, double tokens) => keys.Context ?? (int)Math.Min(tokens, LongestContext);

    /// <summary>Biases by the names of Llama: on all four matrices of attention, on all of the feed-forward.</summary>
    public static ModelConfig Biases(ForeignConfig keys, ModelConfig model)
    {
        bool attention = keys.Flag("attention_bias", false), feedForward = keys.Flag("mlp_bias", false);
        return attention == feedForward ? model with { Bias = attention } : model with { Bias = feedForward, QkvBias = attention, OutputBias = attention };
    }

    /// <summary>Whether attention alone has biases: true, or null for no.</summary>
    public static bool? AttentionBias(ForeignConfig keys) => keys.Flag("attention_bias", false) ? true : null;

    /// <summary>The same keys of a model of ours.</summary>
    public static void WriteBiases(ModelConfig model, JsonObject keys)
    {
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        keys["mlp_bias"] = model.FeedForwardBias ?? model.Bias;
    }

    /// <summary>The elements of a head that positions turn, from their share; 0 for all.</summary>
    public static int RopeDim(ForeignConfig keys, string key, int headDim, double otherwise)
    {
        // Version 5 of the library writes it among the rotary parameters.
        double share = keys.Number(key, keys.Section("rope_parameters")?.Number("partial_rotary_factor", otherwise) ?? otherwise);
        int width = (int)(headDim * share);
        return share == 1 ? 0 : width > 0 ? width : throw keys.Fault(key, $"turns none of the {headDim} elements of a head");
    }

    /// <summary>The share of a head that positions turn.</summary>
    public static double RopeShare(ModelConfig model) => model.Mixer is AttentionFamilyConfig { RopeDim: > 0 } heads ? (double)heads.RopeDim / model.HeadDim : 1;

    /// <summary>The same keys of a model of ours.</summary>
    public static JsonObject Write(ModelConfig model, string epsilonKey = "rms_norm_eps")
    {
        JsonObject keys = new()
        {
            ["num_hidden_layers"] = model.Layers,
            ["hidden_size"] = model.Width,
            ["num_attention_heads"] = model.Heads,
            ["num_key_value_heads"] = model.KvHeads,
            ["head_dim"] = model.HeadDim,
            ["max_position_embeddings"] = model.Context,
            ["vocab_size"] = model.Vocab,
            ["intermediate_size"] = model.LayerConfigs().Select(layer => layer.FeedForward).FirstOrDefault(kind => kind is DenseConfig)?.HiddenFor(model) ?? model.FeedForward.HiddenFor(model),
            [epsilonKey] = model.NormEpsilon,
            ["tie_word_embeddings"] = model.Tied,
        };
        RopeKeys.Write(model, keys);
        return keys;
    }

    /// <summary>A gated feed-forward by the name of its activation.</summary>
    public static DenseConfig Gated(ForeignConfig keys, string key = "hidden_act", string otherwise = "silu") => keys.Text(key, otherwise) switch
    {
        "silu" or "swish" => new SwiGluConfig(),
        "gelu" => new GeGluConfig(),
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => new GeGluTanhConfig(),
        _ => throw keys.Fault(key, "is an activation that is not supported in a gated feed-forward; those that are: silu, gelu, gelu_new, gelu_pytorch_tanh"),
    };

    /// <summary>SwiGLU where the activation is that of mixers too, which have no other than silu.</summary>
    public static SwiGluConfig OnlySilu(ForeignConfig keys) => keys.Text("hidden_act", "silu") is "silu" or "swish"
        ? new SwiGluConfig()
        : throw keys.Fault("hidden_act", "is an activation that is not supported in this architecture; those that are: silu");

    /// <summary>A feed-forward without a gate by the name of its activation.</summary>
    public static DenseConfig Plain(ForeignConfig keys, string key, string otherwise) => keys.Text(key, otherwise) switch
    {
        "relu" => new ReluConfig(),
        "relu2" => new Relu2Config(),
        "gelu" => new GeluConfig(),
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => new GeluTanhConfig(),
        _ => throw keys.Fault(key, "is an activation that is not supported in a feed-forward without a gate; those that are: relu, relu2, gelu, gelu_new, gelu_pytorch_tanh"),
    };

    /// <summary>The name of an activation.</summary>
    public static string Activation(FeedForwardConfig kind) => kind switch
    {
        MoeConfig moe => Activation(moe.Activation),
        SwiGluConfig or ClampedSwiGluConfig => "silu",
        GeluConfig or GeGluConfig => "gelu",
        GeluTanhConfig or GeGluTanhConfig => "gelu_pytorch_tanh",
        ReluConfig => "relu",
        Relu2Config => "relu2",
        _ => kind.Kind,
    };

    /// <summary>The name of an activation, the tanh form of GELU by the name that GPT-2 gave it.</summary>
    public static string PlainActivation(FeedForwardConfig kind) => Activation(kind) is var name && name == "gelu_pytorch_tanh" ? "gelu_new" : name;

    /// <summary>Attention in every layer, of the last <c>sliding_window</c> keys where that is said.</summary>
    public static ModelConfig WithWindow(ForeignConfig keys, ModelConfig model, int? otherwise = null) =>
        model with { Mixer = Windowed(model, keys.Has("sliding_window") ? keys.Integer("sliding_window") : otherwise ?? 0) };

    /// <summary>Attention of a layer: of all keys, or of the last of them.</summary>
    /// <param name="model">Whose context it has.</param>
    /// <param name="window">Keys, that of the query's own place among them; 0 for all.</param>
    public static AttentionFamilyConfig Windowed(ModelConfig model, int window) =>
        window > 0 && window < model.Context ? new SlidingWindowConfig { Window = window, Sinks = 0 } : new AttentionConfig();

    /// <summary>What each layer's <c>layer_types</c> says, or another rule where the key is not there.</summary>
    /// <param name="keys">Where it stands.</param>
    /// <param name="layers">How many there are.</param>
    /// <param name="otherwise">Whether a layer slides.</param>
    public static bool[] Slides(ForeignConfig keys, int layers, Func<int, bool> otherwise)
    {
        if (keys.Texts("layer_types") is not { } types)
        {
            return [.. Enumerable.Range(0, layers).Select(otherwise)];
        }

        if (types.Length != layers || Array.Exists(types, type => type is not (FullAttention or SlidingAttention)))
        {
            throw keys.Fault("layer_types", $"expected {layers} of {FullAttention} and {SlidingAttention}");
        }

        return [.. types.Select(type => type == SlidingAttention)];
    }

    /// <summary>The key <c>layer_types</c> of a model of ours.</summary>
    public static JsonArray LayerTypes(ModelConfig model) => LayerTypes(model.LayerConfigs().Select(layer => layer.Mixer is SlidingWindowConfig));

    /// <summary>The same of layers that slide or not.</summary>
    public static JsonArray LayerTypes(IEnumerable<bool> slides) => new([.. slides.Select(slide => (JsonNode)(slide ? SlidingAttention : FullAttention))]);

    /// <summary>The window of those layers of a model that have one, or null.</summary>
    public static int? WindowOf(ModelConfig model) => model.LayerConfigs().Select(layer => layer.Mixer).OfType<SlidingWindowConfig>().FirstOrDefault()?.Window;

    /// <summary>A model with another mixer in place of each.</summary>
    public static ModelConfig WithMixers(ModelConfig model, Func<MixerConfig, MixerConfig> change) =>
        WithLayers(model, [.. model.LayerConfigs().Select(layer => layer with { Mixer = change(layer.Mixer) })]);

    /// <summary>A model without <c>model.bias</c>: what has a bias by it says so itself.</summary>
    public static ModelConfig WithoutBias(ModelConfig model) => model with
    {
        Bias = false, QkvBias = model.QkvBias ?? model.Bias, OutputBias = model.OutputBias ?? model.Bias, FeedForwardBias = model.FeedForwardBias ?? model.Bias,
    };

    /// <summary>A model without the settings of rotary positions, where it has none.</summary>
    public static ModelConfig WithoutRope(ModelConfig model) => model with { RopeBase = new ModelConfig().RopeBase, RopeScaling = new NoRopeScalingConfig(), RopeInterleaved = false };

    /// <summary>The layer that a parameter of ours is in, or −1.</summary>
    public static int LayerOf(string name) => name.Split('.') is ["model", "layers", { } layer, ..] ? int.Parse(layer, CultureInfo.InvariantCulture) : -1;

    /// <summary>A model whose layers are given one by one, written as short as its pattern allows.</summary>
    public static ModelConfig WithLayers(ModelConfig model, IReadOnlyList<LayerConfig> layers)
    {
        int period = Enumerable.Range(1, layers.Count).First(p => layers.Count % p == 0 && layers.Index().All(layer => layer.Item == layers[layer.Index % p]));
        if (period == 1)
        {
            return model with { Mixer = layers[0].Mixer, FeedForward = layers[0].FeedForward, Pattern = null };
        }

        List<BlockConfig> pattern = [];
        foreach (LayerConfig layer in layers.Take(period))
        {
            if (pattern is [.., { } last] && last.Mixer == layer.Mixer && last.FeedForward == layer.FeedForward)
            {
                pattern[^1] = last with { Repeat = last.Repeat + 1 };
            }
            else
            {
                pattern.Add(new BlockConfig { Mixer = layer.Mixer, FeedForward = layer.FeedForward });
            }
        }

        return model with { Mixer = layers[0].Mixer, FeedForward = layers[0].FeedForward, Pattern = pattern };
    }
}
