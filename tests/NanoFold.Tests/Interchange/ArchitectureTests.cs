using System.Text.Json.Nodes;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Interchange;

/// <summary>Every architecture on a seeded folder, against its published formulas in float64.</summary>
public class ArchitectureTests : EngineTests
{
    private const string Sizes = """
        "hidden_size": 24, "intermediate_size": 34, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 40, "max_position_embeddings": 16, "rope_theta": 300.0
        """;

    private static readonly (string Type, string Keys)[] s_cases =
    [
        ("llama", """ "hidden_act": "silu", "rms_norm_eps": 1e-5, "head_dim": 10, "attention_bias": true """),
        ("llama", """ "hidden_act": "gelu", "rms_norm_eps": 1e-3, "mlp_bias": true, "tie_word_embeddings": true """),
        ("mistral", """ "hidden_act": "silu", "rms_norm_eps": 1e-5, "sliding_window": 4 """),
        ("mixtral", """ "hidden_act": "silu", "rms_norm_eps": 1e-5, "sliding_window": null, "num_local_experts": 5, "num_experts_per_tok": 2 """),
        ("qwen2", """ "hidden_act": "silu", "rms_norm_eps": 1e-6, "use_sliding_window": true, "sliding_window": 5, "layer_types": ["full_attention", "sliding_attention"] """),
        ("qwen3", """ "hidden_act": "silu", "rms_norm_eps": 1e-6, "head_dim": 8 """),
        ("qwen3_moe", """ "hidden_act": "silu", "rms_norm_eps": 1e-6, "num_experts": 4, "num_experts_per_tok": 3, "moe_intermediate_size": 10, "norm_topk_prob": false, "decoder_sparse_step": 1, "mlp_only_layers": [1] """),
        ("phi3", """ "hidden_act": "silu", "rms_norm_eps": 1e-5, "sliding_window": 6 """),
        ("smollm3", """ "hidden_act": "silu", "rms_norm_eps": 1e-6, "no_rope_layers": [0, 1] """),
        ("olmo2", """ "hidden_act": "silu", "rms_norm_eps": 1e-6 """),
        ("diffllama", """ "hidden_act": "silu", "rms_norm_eps": 1e-5, "attention_bias": true """),
        ("diffllama", """ "hidden_act": "gelu", "rms_norm_eps": 1e-3, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 4, "lambda_std_dev": 0.2 """),
        ("gemma", """ "hidden_act": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "head_dim": 8 """),
        ("gemma2", """ "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "head_dim": 6, "query_pre_attn_scalar": 9, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"] """),
        ("gemma3_text", """ "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "head_dim": 6, "query_pre_attn_scalar": 9, "rope_local_base_freq": 50.0, "sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"] """),
        ("gpt_neox", """ "hidden_act": "gelu", "layer_norm_eps": 1e-5, "rotary_pct": 0.7, "rotary_emb_base": 300, "num_key_value_heads": null """),
        ("gpt_neox", """ "hidden_act": "gelu_new", "layer_norm_eps": 1e-5, "rotary_pct": 1.0, "rotary_emb_base": 300, "use_parallel_residual": false, "num_key_value_heads": null """),
        ("phi", """ "hidden_act": "gelu_new", "layer_norm_eps": 1e-5, "partial_rotary_factor": 0.34, "qk_layernorm": true """),
        ("stablelm", """ "hidden_act": "silu", "layer_norm_eps": 1e-5, "partial_rotary_factor": 0.67, "use_qkv_bias": true, "qk_layernorm": true """),
        ("stablelm", """ "hidden_act": "silu", "layer_norm_eps": 1e-5, "partial_rotary_factor": 1.0, "use_parallel_residual": true """),
        ("cohere", """ "hidden_act": "silu", "layer_norm_eps": 1e-5, "logit_scale": 0.3, "use_qk_norm": true """),
        ("gpt2", """ "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "n_embd": 24, "n_layer": 2, "n_head": 3, "n_positions": 16, "n_inner": 30 """),
    ];

    private static IEnumerable<TestCaseData> Cases => s_cases.Select((given, i) => new TestCaseData(given.Type, given.Keys).SetArgDisplayNames(given.Type, $"{i}"));

    [TestCaseSource(nameof(Cases))]
    public void LogitsAreThoseOfThePublishedFormulas(string type, string more)
    {
        JsonObject keys = JsonNode.Parse($"{{{Sizes}, \"model_type\": \"{type}\"}}")!.AsObject();
        foreach ((string key, JsonNode? node) in JsonNode.Parse($"{{{more}}}")!.AsObject())
        {
            keys[key] = node?.DeepClone();
        }

        foreach (string other in type == "gpt2" ? ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "max_position_embeddings", "rope_theta"] : Array.Empty<string>())
        {
            keys.Remove(other);
        }

        using var folder = new TemporaryFolder();
        Dictionary<string, (long[] Shape, float[] Values)> stored = [];
        string path = ForeignFolders.Write(folder["model"], keys, tensors: tensors => stored = tensors);
        int[] tokens = Numbers.Integers(type, 13, 0, 40);
        double[] expected = [.. new PublishedFormulas(keys, stored).Logits(tokens).SelectMany(row => row)];
        Assert.That(Logits(path, tokens), Is.EqualTo(expected).Within(2e-5).And.Length.EqualTo(13 * 40));
    }

    private double[] Logits(string path, int[] tokens)
    {
        using ForeignModel foreign = ForeignModel.TryOpen(path)!;
        Backend backend = Backend();
        using var model = new Transformer(foreign.Config, backend, new WeightSource(foreign.Weights, path), trains: null);
        List<IDisposable> owned = [];
        var tape = new Tape(backend);
        Tensor logits = model.RecordLogits(tape, tape.External("tokens", Host.New(backend, [1, tokens.Length], tokens, owned)));
        tape.Keep(logits);
        var plan = new Plan(tape);
        using DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        owned.ForEach(o => o.Dispose());
        return Host.Read(backend, plan[logits]);
    }
}
