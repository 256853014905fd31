using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary><c>qwen2</c>, <c>qwen3</c> and <c>qwen3moe</c>: matrices as transformers has them, experts in stacks.</summary>
/// <param name="Name">Here.</param>
/// <param name="Type">The <c>model_type</c> there.</param>
internal sealed record GgufQwen(string Name, string Type) : GgufArchitecture
{
    private const string Experts = ".mlp.experts.";

    /// <inheritdoc/>
    public override string Name { get; } = Name;

    /// <inheritdoc/>
    public override IEnumerable<string> LeftOut => GgufRope.Tensors;

    /// <inheritdoc/>
    protected override IReadOnlyList<(string Theirs, string Here)> Names => GgufLlama.Usual;

    /// <inheritdoc/>
    public override JsonObject Keys(GgufFile file, int vocab)
    {
        JsonObject keys = Common(Type, file, vocab);
        GgufRope.Read(file, keys);
        if (Type == "qwen3_moe")
        {
            int experts = file.Metadata.Count("expert_count", 4096);
            keys["num_experts"] = experts;
            keys["num_experts_per_tok"] = file.Metadata.Count("expert_used_count", experts);
            keys["moe_intermediate_size"] = file.Metadata.Count("expert_feed_forward_length", 1 << 24);
            keys["norm_topk_prob"] = true;
            keys["decoder_sparse_step"] = 1;
            keys["mlp_only_layers"] = new JsonArray();
        }

        return keys;
    }

    /// <inheritdoc/>
    protected override TensorPart Part(TensorPart part, ITensorFiles file, ModelConfig config)
    {
        int at = part.Theirs.IndexOf(Experts, StringComparison.Ordinal);
        if (at < 0)
        {
            return base.Part(part, file, config);
        }

        string[] names = part.Theirs[(at + Experts.Length)..].Split('.');
        string stack = $"{NameOf(part.Theirs[..at])}.ffn_{names[1][..^"_proj".Length]}_exps.{names[2]}";
        return OfStack(part, stack, int.Parse(names[0], CultureInfo.InvariantCulture), GgufLlama.CountIn(file, stack));
    }
}
