using System.CommandLine;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Cli.Options;

/// <summary>The option that says how a conversation becomes a prompt.</summary>
internal sealed class TemplateOptions(VerbCommand command)
{
    private readonly Option<string?> _file = command.Text(
        "--template", "FILE", "A chat template (Jinja) in place of the model's own; plain for lines that begin with User: and Assistant:");

    /// <summary>The file, <c>plain</c>, or null for the model's own.</summary>
    public string? File(Invocation invocation) => invocation.Get(_file);

    /// <summary>The template that is meant.</summary>
    /// <param name="file">See <see cref="File"/>.</param>
    /// <param name="trained">The model.</param>
    /// <exception cref="UserException">It cannot be read.</exception>
    public static ChatTemplate Of(string? file, TrainedModel trained) => file switch
    {
        null => trained.ChatTemplate(),
        ChatTemplate.PlainName => ChatTemplate.Plain(trained.Tokenizer),
        _ => ChatTemplate.Parse(Prompts.ReadFile(file, "--template"), trained.Tokenizer, file),
    };

    /// <summary>Tells which one is used.</summary>
    public static void Tell(Output output, string? file, ChatTemplate chosen) => output.Note(
        !chosen.IsPlain ? $"chat template: {file ?? "the model's own"}"
        : $"{(file is null ? "the model has no chat template: " : "")}the plain one is used, lines that begin with User: and Assistant:");
}
