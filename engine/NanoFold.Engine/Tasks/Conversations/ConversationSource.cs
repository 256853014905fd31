using NanoFold.Engine.Data;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;
using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>What tasks of conversations share: files, tokenizer and template, which lines are held back, and a conversation as tokens.</summary>
internal static class ConversationSource
{
    // Keeps the draws apart from others keyed by the same seed.
    private const ulong Stream = 0x636F6E76732D7631;

    /// <summary>The path of the conversations, the model's tokenizer, and the template.</summary>
    /// <exception cref="UserException">One of them is missing.</exception>
    public static (string Path, Tokenizer Tokenizer, ChatTemplate Template) Open(string kind, string? template, TaskContext context)
    {
        string path = context.Data.Path ?? throw UserException.Usage($"data.path: task \"{kind}\" needs a file of JSON lines: --data FILE.jsonl");
        TokenizerSpec spec = context.Tokenizer();
        Tokenizer tokenizer = spec.Tokenizer ?? (spec.BpeVocab == 0 ? new ByteTokenizer()
            : throw UserException.Usage($"tokenizer: task \"{kind}\" learns none from conversations; begin with a model (--init), name a tokenizer (tokenizer.path), or use tokenizer=byte"));
        return (path, tokenizer, TemplateOf(template, context, tokenizer));
    }

    /// <summary>What is trained on and what is held back, as the section <c>data</c> says.</summary>
    /// <param name="context">The section.</param>
    /// <param name="path">Of the conversations.</param>
    /// <param name="make">Makes something of lines.</param>
    public static (T Train, T Validation) Split<T>(TaskContext context, string path, Func<IEnumerable<JsonRecord>, string, T> make)
    {
        if (context.Data.Validation is { } validation)
        {
            return (make(Read(path, context), path), make(Read(validation, context), validation));
        }

        JsonRecord[] records = [.. Read(path, context)];

        double share = context.Data.ValidationFraction;
        int held = share > 0 && records.Length > 1 ? Math.Clamp((int)Math.Round(records.Length * share), 1, records.Length - 1) : 0;
        HashSet<int> back = [.. Order(records.Length, context.Data).TakeLast(held)];
        return (make(records.Where((_, i) => !back.Contains(i)), path), make(records.Where((_, i) => back.Contains(i)), $"what is held back of {path}"));
    }

    /// <summary>A conversation as tokens.</summary>
    /// <exception cref="UserException">It has no answer, or the template fails; says where it stands.</exception>
    public static EncodedChat Encode(JsonRecord record, IReadOnlyList<ChatMessage> turns, Tokenizer tokenizer, ChatTemplate template)
    {
        if (!turns.Any(turn => turn.Role == ChatMessage.Assistant))
        {
            throw record.Fault($"the conversation has no answer: none of its {turns.Count} turns is of the role {ChatMessage.Assistant}");
        }

        try
        {
            return template.EncodeMasked(turns, tokenizer, new ChatOptions { Tools = ConversationFile.ToolsOf(record), Now = DateTime.UnixEpoch });
        }
        catch (UserException e)
        {
            throw record.Fault(e.Message);
        }
    }

    private static IEnumerable<JsonRecord> Read(string path, TaskContext context)
    {
        bool isEmpty = true;
        foreach (JsonRecord record in ConversationFile.Read(path, context.Cancel))
        {
            isEmpty = false;
            yield return record;
        }

        if (isEmpty)
        {
            throw new UserException($"{path}: holds no conversations");
        }
    }

    private static ChatTemplate TemplateOf(string? template, TaskContext context, Tokenizer tokenizer)
    {
        if (context.KeptTemplate is { } kept)
        {
            return ChatTemplate.Parse(kept, tokenizer, "the run's chat template");
        }

        if (template is null)
        {
            return context.ChatTemplate() is { } source ? ChatTemplate.Parse(source, tokenizer, "the model's chat template") : ChatTemplate.Plain(tokenizer);
        }

        if (Directory.Exists(template))
        {
            return ChatTemplate.Find(template, tokenizer) ?? throw new UserException($"{template}: has no chat template ({ChatTemplate.FileName}, or one in tokenizer_config.json)");
        }

        try
        {
            return ChatTemplate.Parse(File.ReadAllText(template), tokenizer, template);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", template, e);
        }
    }

    // All lines, those that are held back at the end.
    private static int[] Order(int count, DataConfig data)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (int last = data.Split == SplitKind.Shuffled ? count - 1 : 0; last > 0; last--)
        {
            int other = (int)Philox.Below((ulong)last + 1, (ulong)data.SplitSeed ^ Stream, (ulong)last, 0);
            (order[last], order[other]) = (order[other], order[last]);
        }

        return order;
    }
}
