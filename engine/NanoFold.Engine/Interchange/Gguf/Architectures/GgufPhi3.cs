using System.Text.Json.Nodes;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary><c>phi3</c>: matrices joined as transformers has them.</summary>
internal sealed record GgufPhi3 : GgufArchitecture
{
    /// <inheritdoc/>
    public override string Name => "phi3";

    /// <inheritdoc/>
    public override IEnumerable<string> LeftOut => GgufRope.Tensors;

    /// <inheritdoc/>
    protected override IReadOnlyList<(string Theirs, string Here)> Names => GgufLlama.Usual;

    /// <inheritdoc/>
    public override JsonObject Keys(GgufFile file, int vocab)
    {
        JsonObject keys = Common(Name, file, vocab);
        GgufRope.Read(file, keys, share: "partial_rotary_factor");
        int window = file.Metadata.Count("attention.sliding_window", int.MaxValue, 0, least: 0);
        keys["sliding_window"] = window > 0 ? window : null;
        keys["original_max_position_embeddings"] ??= (int)keys["max_position_embeddings"]!;
        return keys;
    }
}
