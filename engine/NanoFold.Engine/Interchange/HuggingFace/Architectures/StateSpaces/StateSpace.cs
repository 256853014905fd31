using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>What Mamba and Mamba-2 share in transformers: layers x + mixer(RMSNorm(x)) without feed-forwards and without positions.</summary>
public abstract record StateSpace : Architecture
{
    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.embed_tokens.", "backbone.embeddings."), ("model.norm.", "backbone.norm_f."), ("model.layers.", "backbone.layers."),
        (".input_layernorm.", ".norm."), (".self_attn.", ".mixer."),
    ];

    /// <inheritdoc/>
    public override string Prefix => "backbone.";

    /// <summary>Whether the head is the embedding where <c>tie_word_embeddings</c> says nothing.</summary>
    protected abstract bool TiedByDefault { get; }

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        _ = DecoderKeys.OnlySilu(keys);
        // What steps start with and how passes are computed; names of sizes in files of the models' authors, which stand beside those that are read.
        keys.Leave(
            "time_step_min", "time_step_max", "time_step_floor", "time_step_scale", "time_step_init_scheme", "rescale_prenorm_residual", "residual_in_fp32", "use_mambapy",
            "chunk_size", "rms_norm", "norm_before_gate", "fused_add_norm", "ssm_cfg", "d_model", "d_inner", "n_layer", "pad_vocab_size_multiple");
        ModelConfig model = Meant(new ModelConfig
        {
            Layers = keys.Count("num_hidden_layers", 4096),
            Width = keys.Count("hidden_size", 1 << 16),
            Context = DecoderKeys.ContextOf(keys, keys.Integer("max_position_embeddings", 2048)),
            Vocab = keys.Integer("vocab_size"),
            NormEpsilon = keys.Number("layer_norm_epsilon", 1e-5),
            Tied = keys.Flag("tie_word_embeddings", TiedByDefault),
            Position = PositionKind.None,
            FeedForward = new NoFeedForwardConfig(),
        });
        return ReadMixer(keys, model);
    }

    /// <summary>The model with the mixer of its layers, and with biases.</summary>
    protected abstract ModelConfig ReadMixer(ForeignConfig keys, ModelConfig model);

    /// <summary>The keys of the mixer.</summary>
    protected abstract void WriteMixer(ModelConfig model, JsonObject keys);

    /// <inheritdoc/>
    protected override ModelConfig Meant(ModelConfig model) => WithoutHeads.Of(model) with
    {
        QkvBias = null,
        OutputBias = null,
        FeedForwardBias = null,
        Parallel = ParallelKind.None,
        NormBias = model.NormBias || model.Norm == NormKind.Rms,
    };

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        string theirs = s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal));
        return ours.Name.EndsWith(".conv1d.weight", StringComparison.Ordinal) ? TensorRule.Same(ours, theirs, [ours.Shape[0], 1, ours.Shape[1]]) : TensorRule.Same(ours, theirs);
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = new()
        {
            ["num_hidden_layers"] = model.Layers,
            ["hidden_size"] = model.Width,
            ["max_position_embeddings"] = model.Context,
            ["vocab_size"] = model.Vocab,
            ["layer_norm_epsilon"] = model.NormEpsilon,
            ["tie_word_embeddings"] = model.Tied,
            ["hidden_act"] = "silu",
        };
        WriteMixer(model, keys);
        return keys;
    }

    /// <summary>How many channels there are for each of the width: <c>intermediate_size</c>, or <c>expand</c> times the width.</summary>
    protected static int Expand(ForeignConfig keys, int width)
    {
        double expand = keys.Number("expand", 2);
        double channels = keys.Has("intermediate_size") ? keys.Integer("intermediate_size") : Math.Floor(expand * width);
        return channels > 0 && channels % width == 0 && channels / width <= 64
            ? (int)(channels / width)
            : throw keys.Fault(keys.Has("intermediate_size") ? "intermediate_size" : "expand", $"gives {channels} channels; expected 1 to 64 times hidden_size = {width}");
    }
}
