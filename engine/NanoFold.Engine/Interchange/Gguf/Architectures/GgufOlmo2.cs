using System.Text.Json.Nodes;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary><c>olmo2</c>: norms after attention and feed-forward, and of all queries and keys of a token together.</summary>
internal sealed record GgufOlmo2 : GgufArchitecture
{
    /// <inheritdoc/>
    public override string Name => "olmo2";

    /// <inheritdoc/>
    public override IEnumerable<string> LeftOut => GgufRope.Tensors;

    /// <inheritdoc/>
    protected override IReadOnlyList<(string Theirs, string Here)> Names { get; } =
        [(".post_feedforward_layernorm.", ".post_ffw_norm."), (".post_attention_layernorm.", ".post_attention_norm."), .. GgufLlama.Usual];

    /// <inheritdoc/>
    public override JsonObject Keys(GgufFile file, int vocab)
    {
        JsonObject keys = Common(Name, file, vocab);
        keys["attention_bias"] = false;
        GgufRope.Read(file, keys);
        return keys;
    }
}
