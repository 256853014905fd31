using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Text.Chat;

/// <summary>Where the template of a model lies in a folder.</summary>
internal static class ChatTemplateFile
{
    private const string Key = "chat_template", Config = "tokenizer_config.json", Default = "default";

    /// <summary>The template's text and the file that it is in; null where there is none.</summary>
    /// <exception cref="UserException">A file cannot be read, or its template is no text.</exception>
    public static (string Source, string Path)? Read(string folder)
    {
        string path = Path.Combine(folder, ChatTemplate.FileName);
        try
        {
            if (File.Exists(path))
            {
                return (Text(TokenizerFiles.Read(path), path), path);
            }

            foreach (string name in (string[])["chat_template.json", Config])
            {
                path = Path.Combine(folder, name);
                if (File.Exists(path) && OfJson(path) is { } source)
                {
                    return (source, path);
                }
            }

            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    private static string? OfJson(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(TokenizerFiles.Read(path));
            return JsonFields.Part(document.RootElement, Key) switch
            {
                null => null,
                { ValueKind: JsonValueKind.String } text => text.GetString(),
                { ValueKind: JsonValueKind.Array } several => Chosen(several),
                _ => throw new UserException($"{path}: {Key} is no text"),
            };
        }
        catch (JsonException e)
        {
            throw new UserException($"{path}: not valid JSON: {TokenizerJson.Shorten(e.Message)}", e);
        }
    }

    // Of several by name the default one, or else the first.
    private static string? Chosen(JsonElement several)
    {
        (string? Name, string? Source)[] all = [.. several.EnumerateArray().Select(one => (TextOf(one, "name"), TextOf(one, "template"))).Where(one => one.Item2 is not null)];
        return all.FirstOrDefault(one => one.Name == Default).Source ?? all.FirstOrDefault().Source;
    }

    private static string? TextOf(JsonElement owner, string key) => JsonFields.Part(owner, key) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    private static string Text(byte[] bytes, string path)
    {
        try
        {
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw new UserException($"{path}: is no UTF-8 text", e);
        }
    }
}
