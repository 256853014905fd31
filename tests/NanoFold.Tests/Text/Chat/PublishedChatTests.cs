using System.Globalization;
using System.Text.Json;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Text.Chat;

/// <summary>Chat templates rendered by transformers with Jinja2: equal texts, errors of the same kind, equal spans and masks of the assistant.</summary>
[Category("Published")]
public class PublishedChatTests
{
    private const string Folder = "peers/chat", InFile = "gguf:tokenizer.chat_template", Model = "peers/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
    private static readonly string[] s_known = ["template", "source", "messages", "tools", "add_generation_prompt", "bos_token", "eos_token", "variables", "now", "continue_final_message", "return_assistant_tokens_mask", "rendered", "error", "assistantSpans", "assistantTexts"];

    [TestCase("cases.jsonl", 994)]
    [TestCase("inline.jsonl", 239)]
    public void RenderingsAndErrorsAreTheOriginals(string file, int least)
    {
        string folder = SharedData.Path(Folder);
        string? model = SharedData.Find(Model);
        var templates = new Dictionary<string, string>();
        int count = 0;
        foreach (string line in File.ReadLines(Path.Combine(folder, file)))
        {
            JsonElement row = JsonDocument.Parse(line).RootElement;
            Assert.That(row.EnumerateObject().Select(property => property.Name).Except(s_known), Is.Empty, line);
            count++;
            if (row.TryGetProperty("template", out JsonElement name) && name.GetString() == InFile && model is null)
            {
                continue;
            }

            string source = row.TryGetProperty("source", out JsonElement own) ? own.GetString()! : SourceOf(templates, folder, name.GetString()!, model);
            Same(Rendered(source, row), row, line);
        }

        Assert.That(count, Is.GreaterThanOrEqualTo(least));
        var agreement = new CaseAgreement("chat", file);
        agreement.Same($"{count} renderings: texts, kinds of errors, spans");
        agreement.Record();
    }

    [Test]
    public void EveryTemplateOfTheFolderIsRendered()
    {
        string folder = SharedData.Path(Folder);
        string[] used = [.. File.ReadLines(Path.Combine(folder, "cases.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("template").GetString()!).Distinct().Where(name => name != InFile)];
        Assert.That(Directory.GetFiles(Path.Combine(folder, "templates")).Select(Path.GetFileNameWithoutExtension), Is.EquivalentTo(used));
    }

    [Test]
    public void MasksOfTokensAreTheOriginals()
    {
        string folder = SharedData.Path(Folder);
        var tokenizers = new Dictionary<string, Tokenizer>();
        int count = 0;
        foreach (string line in File.ReadLines(Path.Combine(folder, "masks.jsonl")))
        {
            JsonElement row = JsonDocument.Parse(line).RootElement;
            string name = row.GetProperty("tokenizer").GetString()!;
            if (!tokenizers.TryGetValue(name, out Tokenizer? tokenizer))
            {
                tokenizers[name] = tokenizer = Tokenizer.Load(SharedData.Path($"peers/tokenizers/{name}"));
            }

            ChatTemplate template = Template(File.ReadAllText(Path.Combine(folder, "templates", $"{row.GetProperty("template").GetString()}.jinja")), row);
            EncodedChat chat = template.EncodeMasked(Messages(row), tokenizer, Options(row));
            Assert.That(chat.Ids, Is.EqualTo(row.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())), line);
            Assert.That(chat.IsAssistant.Select(own => own ? 1 : 0), Is.EqualTo(row.GetProperty("assistantMask").EnumerateArray().Select(id => id.GetInt32())), line);
            count++;
        }

        Assert.That(count, Is.GreaterThanOrEqualTo(56));
        var agreement = new CaseAgreement("chat", "masks.jsonl");
        agreement.Same($"ids and masks of {count} conversations");
        agreement.Record();
    }

    private static string SourceOf(Dictionary<string, string> templates, string folder, string name, string? model)
    {
        if (!templates.TryGetValue(name, out string? source))
        {
            if (name == InFile)
            {
                using ForeignModel foreign = ForeignModel.TryOpen(model!)!;
                source = foreign.ChatTemplate!;
            }

            templates[name] = source ??= File.ReadAllText(Path.Combine(folder, "templates", $"{name}.jinja"));
        }

        return source;
    }

    // The text, or the kind of the error, with its words where they are the template's own; then the spans in code points.
    private static string Rendered(string source, JsonElement row)
    {
        try
        {
            ChatTemplate template = Template(source, row);
            if (!row.TryGetProperty("assistantSpans", out _))
            {
                return template.Render(Messages(row), Options(row));
            }

            RenderedChat chat = template.RenderMasked(Messages(row), Options(row));
            return $"{chat.Text}\0{string.Join(' ', chat.Spans.Select(span => $"{Points(chat.Text, span.Start)}-{Points(chat.Text, span.End)}"))}";
        }
        catch (ChatTemplateException e)
        {
            return $"\0{e.Kind}{(e.Kind == "TemplateError" ? e.Detail : "")}";
        }
    }

    private static void Same(string actual, JsonElement row, string line)
    {
        string expected;
        if (row.TryGetProperty("error", out JsonElement error))
        {
            string type = error.GetProperty("type").GetString()!;
            expected = $"\0{type}{(type == "TemplateError" ? error.GetProperty("message").GetString() : "")}";
        }
        else
        {
            string spans = row.TryGetProperty("assistantSpans", out JsonElement own) ? $"\0{string.Join(' ', own.EnumerateArray().Select(span => $"{span[0]}-{span[1]}"))}" : "";
            expected = row.GetProperty("rendered").GetString() + spans;
        }

        if (actual != expected)
        {
            Assert.That(actual, Is.EqualTo(expected), line);
        }
    }

    private static int Points(string text, int end) => text[..end].EnumerateRunes().Count();

    private static ChatTemplate Template(string source, JsonElement row) => ChatTemplate.Parse(source, "template", Text(row, "bos_token"), Text(row, "eos_token"));

    private static ChatMessage[] Messages(JsonElement row) => [.. row.GetProperty("messages").EnumerateArray().Select(ChatMessage.Parse)];

    private static ChatOptions Options(JsonElement row) => new()
    {
        AddGenerationPrompt = Flag(row, "add_generation_prompt"),
        ContinueFinalMessage = Flag(row, "continue_final_message"),
        Tools = row.TryGetProperty("tools", out JsonElement tools) && tools.ValueKind == JsonValueKind.Array ? [.. tools.EnumerateArray()] : null,
        Variables = row.TryGetProperty("variables", out JsonElement variables) ? variables.EnumerateObject().ToDictionary(property => property.Name, property => property.Value) : null,
        Now = Text(row, "now") is { } now ? DateTime.Parse(now, CultureInfo.InvariantCulture) : null,
    };

    private static bool Flag(JsonElement row, string key) => row.TryGetProperty(key, out JsonElement value) && value.GetBoolean();

    private static string? Text(JsonElement row, string key) => row.TryGetProperty(key, out JsonElement value) ? value.GetString() : null;
}
