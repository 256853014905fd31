using System.Text.Json;
using NanoFold.Engine.Text.Chat.Jinja;

namespace NanoFold.Engine.Text.Chat;

/// <summary>
/// How a model wants a conversation written: a template in the language of Jinja, as models of transformers and GGUF files bring it along. It is rendered as
/// transformers renders it: blocks trimmed, no escaping, values immutable, nothing reached but the conversation.
/// </summary>
/// <remarks>What a template does is bounded: its work, the length of its output, how deeply it is nested. It may be used by several threads.</remarks>
public sealed class ChatTemplate
{
    /// <summary>The file's name inside a folder of a model.</summary>
    public const string FileName = "chat_template.jinja";

    /// <summary>The name of the template for models that have none.</summary>
    public const string PlainName = "plain";

    private const string PlainSource =
        "{{ bos_token }}{% for m in messages %}{{ {'system': '', 'user': 'User: ', 'assistant': 'Assistant: '}[m.role] ~ m.content ~ '\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}Assistant:{% endif %}";

    private readonly IReadOnlyList<Node> _body;

    private ChatTemplate(string name, string source, string? bos, string? eos)
    {
        (Name, Source, Bos, Eos) = (name, source, bos, eos);
        try
        {
            _body = Parser.Parse(source);
        }
        catch (JinjaException e)
        {
            throw Told(e);
        }
    }

    /// <summary>What it is called in messages: a file, a model, or <see cref="PlainName"/>.</summary>
    public string Name { get; }

    /// <summary>As it is written.</summary>
    public string Source { get; }

    /// <summary>What <c>bos_token</c> stands for; null where it is not defined.</summary>
    public string? Bos { get; }

    /// <summary>What <c>eos_token</c> stands for; null where it is not defined.</summary>
    public string? Eos { get; }

    /// <summary>Whether it is the one for models that have none.</summary>
    public bool IsPlain => Name == PlainName;

    /// <summary>Whether it says itself, by generation blocks, what the assistant writes.</summary>
    public bool MarksAssistant => Source.Contains("endgeneration", StringComparison.Ordinal);

    /// <summary>Reads a template.</summary>
    /// <param name="source">As it is written.</param>
    /// <param name="name">What it is called in messages.</param>
    /// <param name="bos">What <c>bos_token</c> stands for; null leaves it undefined.</param>
    /// <param name="eos">What <c>eos_token</c> stands for; null leaves it undefined.</param>
    /// <exception cref="ChatTemplateException">It cannot be read, or has something that is not supported; says the line.</exception>
    public static ChatTemplate Parse(string source, string name = "chat template", string? bos = null, string? eos = null) => new(name, source, bos, eos);

    /// <summary>Reads a template whose special tokens are those of a tokenizer.</summary>
    /// <inheritdoc cref="Parse(string, string, string?, string?)"/>
    public static ChatTemplate Parse(string source, Tokenizer tokenizer, string name = "chat template") => new(name, source, NameOf(tokenizer, tokenizer.Bos), NameOf(tokenizer, tokenizer.Eos));

    /// <summary>The template for models that have none: <c>User: …</c> and <c>Assistant: …</c>, a line each.</summary>
    public static ChatTemplate Plain(Tokenizer? tokenizer = null) => new(PlainName, PlainSource, tokenizer?.PromptStart is [var bos] ? NameOf(tokenizer, bos) : null, null);

    /// <summary>
    /// The template in a folder: <c>chat_template.jinja</c>, <c>chat_template.json</c>, or the one in <c>tokenizer_config.json</c>, of which several the one for
    /// <see cref="ChatOptions.Tools"/> is not taken; null where there is none.
    /// </summary>
    /// <param name="folder">Of a model or a tokenizer.</param>
    /// <param name="tokenizer">For the special tokens.</param>
    /// <exception cref="UserException">A file is damaged, or the template cannot be read.</exception>
    public static ChatTemplate? Find(string folder, Tokenizer tokenizer) => ChatTemplateFile.Read(folder) is { } found ? Parse(found.Source, tokenizer, found.Path) : null;

    /// <summary>The template in a folder, or else <see cref="Plain"/>, with the tokenizer of that folder.</summary>
    /// <exception cref="UserException">A file is missing or damaged, or the template cannot be read.</exception>
    public static ChatTemplate Of(string folder)
    {
        Tokenizer tokenizer = Tokenizer.Load(folder);
        return Find(folder, tokenizer) ?? Plain(tokenizer);
    }

    /// <summary>A conversation as text.</summary>
    /// <exception cref="ChatTemplateException">The template refuses it or fails.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, ChatOptions? options = null) => Run(messages, options ?? new ChatOptions()).Text;

    /// <summary>
    /// A conversation as text, and which parts of it the assistant says, with what ends them. Where the template does not mark them, an answer is what the text up
    /// to it, with the beginning of an answer, does not have of the text with it; where these are no beginnings of the whole, it is the answer's content.
    /// </summary>
    /// <exception cref="ChatTemplateException">The template refuses it or fails, or does not show an answer.</exception>
    public RenderedChat RenderMasked(IReadOnlyList<ChatMessage> messages, ChatOptions? options = null)
    {
        options ??= new ChatOptions();
        RenderedChat rendered = Run(messages, options);
        return MarksAssistant ? rendered : rendered with { Spans = AnswerSpans.Find(this, messages, options, rendered.Text) };
    }

    /// <summary>A conversation as tokens. Names of special tokens are these tokens, and nothing is put around the text.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="tokenizer">Of the model.</param>
    /// <param name="options">What it is rendered with.</param>
    /// <exception cref="ChatTemplateException">The template refuses it or fails.</exception>
    public int[] Encode(IReadOnlyList<ChatMessage> messages, Tokenizer tokenizer, ChatOptions? options = null) => tokenizer.EncodePrompt(Render(messages, options));

    /// <summary>The same, and which of the tokens are the assistant's.</summary>
    /// <inheritdoc cref="Encode"/>
    public EncodedChat EncodeMasked(IReadOnlyList<ChatMessage> messages, Tokenizer tokenizer, ChatOptions? options = null)
    {
        RenderedChat rendered = RenderMasked(messages, options);
        int[] ids = tokenizer.EncodePrompt(rendered.Text);
        return new EncodedChat(ids, TokenSpans.Mask(tokenizer, ids, rendered));
    }

    /// <summary>What a special token is called.</summary>
    private static string? NameOf(Tokenizer tokenizer, int? id) => id is { } token ? tokenizer.Specials.FirstOrDefault(special => special.Id == token)?.Name ?? tokenizer.Describe(token) : null;

    // What it prints, and its generation blocks.
    private RenderedChat Run(IReadOnlyList<ChatMessage> messages, ChatOptions options)
    {
        if (options is { AddGenerationPrompt: true, ContinueFinalMessage: true })
        {
            throw new ChatTemplateException(Name, 0, JinjaException.ValueKind, "an answer cannot begin and go on at once");
        }

        try
        {
            IReadOnlyList<ChatMessage> marked = options.ContinueFinalMessage ? FinalMessage.Mark(messages) : messages;
            (string text, IReadOnlyList<(int Start, int End)> spans) = new Renderer(Names(marked, options), options.Now ?? DateTime.Now).Run(_body);
            text = options.ContinueFinalMessage ? FinalMessage.UpToMark(text) : text;
            return new RenderedChat(text, [.. spans.Select(span => (PointText.Offset(text, span.Start), PointText.Offset(text, span.End)))]);
        }
        catch (JinjaException e)
        {
            throw Told(e);
        }
    }

    private Dictionary<string, object?> Names(IReadOnlyList<ChatMessage> messages, ChatOptions options)
    {
        var names = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["messages"] = messages.Select(Value).ToList(),
            ["tools"] = options.Tools?.Select(JinjaJson.Read).ToList(),
            ["documents"] = null,
            ["add_generation_prompt"] = options.AddGenerationPrompt,
        };
        foreach ((string name, string? token) in ((string, string?)[])[("bos_token", Bos), ("eos_token", Eos)])
        {
            if (token is not null)
            {
                names[name] = token;
            }
        }

        foreach ((string name, JsonElement value) in options.Variables ?? new Dictionary<string, JsonElement>())
        {
            names[name] = JinjaJson.Read(value);
        }

        return names;
    }

    private static object? Value(ChatMessage message)
    {
        if (message.Json is { } json)
        {
            return JinjaJson.Read(json);
        }

        return new JinjaDict { ["role"] = message.Role, ["content"] = message.Content };
    }

    private ChatTemplateException Told(JinjaException e) => new(Name, e.Line, e.Kind, e.Message, e);
}
