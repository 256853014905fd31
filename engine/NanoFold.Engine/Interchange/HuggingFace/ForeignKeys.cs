using System.Text.Json;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Interchange.HuggingFace;

/// <summary>Keys of Hugging Face's configurations that mean the same in every architecture.</summary>
internal static class ForeignKeys
{
    // What changes the numbers where an architecture does not read it, with the values at which it does not.
    private static readonly Dictionary<string, double[]> s_numbers = new(StringComparer.Ordinal)
    {
        ["logit_scale"] = [1], ["logits_scaling"] = [1], ["embedding_multiplier"] = [1], ["residual_multiplier"] = [1], ["lm_head_multiplier"] = [1],
        ["partial_rotary_factor"] = [1], ["rotary_pct"] = [1], ["num_experts"] = [0, 1], ["num_local_experts"] = [0, 1], ["n_routed_experts"] = [0], ["n_shared_experts"] = [0],
        ["attn_logit_softcapping"] = [], ["final_logit_softcapping"] = [], ["query_pre_attn_scalar"] = [], ["attention_multiplier"] = [], ["sliding_window"] = [],
        ["kv_lora_rank"] = [], ["q_lora_rank"] = [], ["attention_chunk_size"] = [], ["rope_local_base_freq"] = [], ["scale_emb"] = [1], ["scale_depth"] = [], ["clip_qkv"] = [],
    };

    private static readonly HashSet<string> s_flags = new(StringComparer.Ordinal)
    {
        "attention_bias", "mlp_bias", "use_bias", "use_qkv_bias", "use_qk_norm", "qk_layernorm", "use_parallel_residual", "parallel_attn", "alibi", "scale_attn_by_inverse_layer_idx",
        "add_cross_attention", "is_encoder_decoder", "use_bidirectional_attention", "use_mla", "use_sliding_window", "lm_head_bias", "tie_word_embeddings",
    };

    private static readonly HashSet<string> s_objects = new(StringComparer.Ordinal) { "rope_scaling", "rope_parameters", "no_rope_layers", "vision_config", "text_config", "audio_config" };

    /// <summary>What is about training, generation and the file itself.</summary>
    public static IReadOnlySet<string> Harmless { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "use_cache", "initializer_range", "bos_token_id", "eos_token_id", "pad_token_id",
        "attention_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop", "classifier_dropout", "pretraining_tp", "output_attentions", "output_hidden_states",
        "output_router_logits", "router_aux_loss_coef", "router_jitter_noise", "_name_or_path", "tokenizer_class",
    };

    /// <summary>Why a key that nobody has read cannot be left out, or null.</summary>
    public static string? WhyNot(string key, JsonNode node)
    {
        if (key == "quantization_config")
        {
            return "the weights are quantized in a form that is not read; use the model's F32, F16 or BF16 files, or a GGUF";
        }

        if (key == "layer_types")
        {
            return node is JsonArray list && list.All(item => item?.GetValueKind() == JsonValueKind.String && item.GetValue<string>() == "full_attention") ? null : "layers of these kinds are not supported in this architecture";
        }

        bool changes = (s_numbers.TryGetValue(key, out double[]? neutral) && !(ForeignConfig.NumberOf(node) is { } number && neutral.Contains(number)))
            || (s_flags.Contains(key) && node.GetValueKind() == JsonValueKind.True)
            || s_objects.Contains(key);
        return changes ? "would change the numbers, and is not supported in this architecture" : null;
    }
}
