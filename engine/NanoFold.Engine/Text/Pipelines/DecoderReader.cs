using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>Reads the decoders of a <c>tokenizer.json</c>.</summary>
internal sealed class DecoderReader(JsonFields json)
{
    public IReadOnlyList<TokenDecoder> Read(JsonElement? decoder) => [.. json.Flat(decoder, "decoders").Select(One)];

    private TokenDecoder One(JsonElement part) => JsonFields.TypeOf(part) switch
    {
        "ByteLevel" => new ByteLevelDecoder(),
        "ByteFallback" => new ByteFallbackDecoder(),
        "Fuse" => new FuseDecoder(),
        "Replace" => new ReplaceDecoder(new NormalizerReader(json).ReadReplace(part)),
        "Strip" => new StripDecoder(json.Text(part, "content", " "), json.Count(part, "start", 0), json.Count(part, "stop", 0)),
        "Metaspace" => new MetaspaceDecoder(json.Text(part, "replacement", "▁"), StageReader.Prefix(json, part)),
        "WordPiece" => new WordPieceDecoder(json.Text(part, "prefix", "##"), json.Flag(part, "cleanup", true)),
        "BPEDecoder" => new SuffixDecoder(json.Text(part, "suffix", "</w>")),
        var other => throw json.Bad($"decoder '{other}' is not supported"),
    };
}
