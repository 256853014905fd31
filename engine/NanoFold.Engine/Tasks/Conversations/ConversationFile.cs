using System.IO.Compression;
using System.Text.Json;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Tasks;

/// <summary>An object of a file of JSON lines, with where it stands.</summary>
/// <param name="Json">The object.</param>
/// <param name="Place">The file and the line, for messages.</param>
internal sealed record JsonRecord(JsonElement Json, string Place)
{
    /// <summary>A fault of it.</summary>
    public UserException Fault(string message) => new($"{Place}: {message}");
}

/// <summary>Reads conversations: a file of JSON lines, gzipped or not, or a folder of such files.</summary>
internal static class ConversationFile
{
    private const string Prompt = "prompt", Messages = "messages";

    /// <summary>The objects of all lines, in order.</summary>
    /// <param name="path">A file or a folder.</param>
    /// <param name="cancel">Ends reading.</param>
    /// <exception cref="UserException">There is none, or a line is no JSON object; names it.</exception>
    public static IEnumerable<JsonRecord> Read(string path, CancellationToken cancel)
    {
        foreach (string file in FilesOf(path))
        {
            int number = 0;
            foreach (string line in Lines(file))
            {
                cancel.ThrowIfCancellationRequested();
                number++;
                if (!string.IsNullOrWhiteSpace(line))
                {
                    yield return Parse(line, $"{file}: line {number}");
                }
            }
        }
    }

    /// <summary>
    /// The turns of an object, in one of the forms that are in use: <c>messages</c> [{role, content}], <c>conversations</c> [{from, value}], or <c>prompt</c> and
    /// <c>completion</c>, each a text or a list of turns.
    /// </summary>
    /// <exception cref="UserException">It has none of them, or one that is wrong.</exception>
    public static List<ChatMessage> TurnsOf(JsonRecord record)
    {
        if (Find(record, Messages) is { } messages)
        {
            return Turns(record, messages, Messages, ChatMessage.User);
        }

        if (Find(record, "conversations") is { ValueKind: JsonValueKind.Array } shared)
        {
            return [.. shared.EnumerateArray().Select(turn => Shared(record, turn))];
        }

        return Find(record, Prompt) is { } prompt && Find(record, "completion") is { } completion
            ? [.. Turns(record, prompt, Prompt, ChatMessage.User), .. Turns(record, completion, "completion", ChatMessage.Assistant)]
            : throw record.Fault($"has no conversation: expected {Messages} [{{role, content}}], conversations [{{from, value}}], or {Prompt} and completion");
    }

    /// <summary>The tools that it names, or null.</summary>
    public static IReadOnlyList<JsonElement>? ToolsOf(JsonRecord record) => Find(record, "tools") is { ValueKind: JsonValueKind.Array } tools ? [.. tools.EnumerateArray()] : null;

    /// <summary>A property that is there and not null.</summary>
    public static JsonElement? Find(JsonRecord record, string name) => record.Json.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>Turns that are a text, of one role, or a list.</summary>
    public static List<ChatMessage> Turns(JsonRecord record, JsonElement value, string name, string role)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            return [new ChatMessage(role, value.GetString()!)];
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw record.Fault($"{name} is no list of turns");
        }

        try
        {
            List<ChatMessage> turns = [.. value.EnumerateArray().Select(ChatMessage.Parse)];
            return turns.FindIndex(turn => turn.Role.Length == 0) is >= 0 and var nameless
                ? throw record.Fault($"{name}: turn {nameless + 1} has no role")
                : turns;
        }
        catch (UserException e) when (!e.Message.StartsWith(record.Place, StringComparison.Ordinal))
        {
            throw record.Fault($"{name}: {e.Message}");
        }
    }

    private static ChatMessage Shared(JsonRecord record, JsonElement turn)
    {
        string? Text(string key) => turn.ValueKind == JsonValueKind.Object && turn.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        string from = Text("from") ?? throw record.Fault("conversations: a turn has no \"from\"");
        string role = from switch { "human" => ChatMessage.User, "gpt" or "chatgpt" or "bot" => ChatMessage.Assistant, _ => from };
        return new ChatMessage(role, Text("value") ?? throw record.Fault("conversations: a turn has no \"value\""));
    }

    private static JsonRecord Parse(string line, string place)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object
                ? new JsonRecord(json.RootElement.Clone(), place)
                : throw new UserException($"{place}: is no JSON object; conversations are JSON lines, an object a line");
        }
        catch (JsonException e)
        {
            throw new UserException($"{place}: is no JSON{(e.BytePositionInLine is { } at ? $" at byte {at}" : "")}; conversations are JSON lines, an object a line", e);
        }
    }

    private static string[] FilesOf(string path)
    {
        string[] files = File.Exists(path) ? [path]
            : Directory.Exists(path) ? [.. Directory.GetFiles(path, "*.jsonl*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)]
            : throw new UserException($"{path}: there is no such file or folder");
        return files.Length > 0 ? files : throw new UserException($"{path}: holds no files of JSON lines (*.jsonl)");
    }

    private static IEnumerable<string> Lines(string path)
    {
        StreamReader reader;
        try
        {
            FileStream file = File.OpenRead(path);
            reader = new StreamReader(path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }

        using (reader)
        {
            while (Next(reader, path) is { } line)
            {
                yield return line;
            }
        }
    }

    private static string? Next(StreamReader reader, string path)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (Exception e) when (FileFault.Is(e) || e is InvalidDataException)
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }
}
