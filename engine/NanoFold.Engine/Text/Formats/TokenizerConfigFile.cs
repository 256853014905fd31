using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// Hugging Face's <c>tokenizer_config.json</c>, of which the tokens are read that begin and end a document: a <c>tokenizer.json</c> does not name them.
/// </summary>
internal static class TokenizerConfigFile
{
    private const string Name = "tokenizer_config.json";

    /// <summary>The tokenizer of a folder with these tokens; itself where there are none, or they are its own.</summary>
    public static Tokenizer Apply(PipelineTokenizer tokenizer, string folder)
    {
        string path = Path.Combine(folder, Name);
        if (!File.Exists(path))
        {
            return tokenizer;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(TokenizerFiles.Read(path));
            int? bos = IdOf(document.RootElement, "bos_token", tokenizer) ?? tokenizer.Bos, eos = IdOf(document.RootElement, "eos_token", tokenizer) ?? tokenizer.Eos;
            return bos == tokenizer.Bos && eos == tokenizer.Eos
                ? tokenizer
                : tokenizer.With(bos, eos);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new UserException($"{path}: not valid JSON: {TokenizerJson.Shorten(e.Message)}", e);
        }
    }

    // A name, or an added token with one.
    private static int? IdOf(JsonElement root, string key, PipelineTokenizer tokenizer)
    {
        JsonElement? token = JsonFields.Part(root, key);
        string? name = token switch
        {
            { ValueKind: JsonValueKind.String } text => text.GetString(),
            { ValueKind: JsonValueKind.Object } added when JsonFields.Part(added, "content") is { ValueKind: JsonValueKind.String } content => content.GetString(),
            _ => null,
        };
        return name is null ? null : tokenizer.IdOf(name);
    }
}
