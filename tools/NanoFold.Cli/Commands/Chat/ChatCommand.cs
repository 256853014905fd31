using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Text.Chat;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Chat;

/// <summary><c>chat</c>: talks to a model.</summary>
internal static class ChatCommand
{
    private const int LongestAnswer = 1024;

    public static void Build(VerbCommand command)
    {
        var model = new ModelOptions(command);
        Option<string?> system = command.Text("--system", "TEXT", "What the model is told before all else");
        var template = new TemplateOptions(command);
        Option<bool> escapes = command.Flag("-e", $"Understand escapes in --system and --stop: {Escapes.Known}");
        var sampling = new SamplingOptions(command, (invocation, text, option) => invocation.Get(escapes) ? Escapes.Decode(text, option) : text);
        command.JsonKeys = "messages [{role, content}] (all that was said), answers [{text, tokenIds, finish (length, stop, eos or interrupted), promptTokens, keptTokens (that the model still knew), droppedMessages, tokensPerSecond}], template (its name), seed";
        command.Does(invocation => Run(
            invocation,
            model.Choice(invocation),
            invocation.Get(system) is { } text && invocation.Get(escapes) ? Escapes.Decode(text, system.Name) : invocation.Get(system),
            template.File(invocation),
            sampling.Change(invocation)));
    }

    private static int Run(Invocation invocation, ModelChoice model, string? system, string? template, Func<GenerationConfig, GenerationConfig> change)
    {
        Output output = invocation.Output;
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = model.Load(backend, invocation.Output.Note);
        ChatTemplate chosen = TemplateOptions.Of(template, trained);
        using var writer = new ChatWriter(trained.Model, trained.Tokenizer, chosen);
        GenerationConfig settings = trained.Config.Generation;
        settings = change(settings.MaxTokens == new GenerationConfig().MaxTokens ? settings with { MaxTokens = LongestAnswer } : settings);
        writer.Require(settings);
        long seed = invocation.Seed ?? Random.Shared.Next();
        if (invocation.Seed is null && settings.Temperature > 0)
        {
            output.Note($"--seed {seed}");
        }

        TemplateOptions.Tell(output, template, chosen);
        var conversation = new Conversation(writer, settings, seed, system);
        using var input = new ChatInput(output, invocation.Interrupt);
        var loop = new ChatLoop(output, conversation, input);
        bool isSound = loop.Run();
        output.Result(new JsonObject
        {
            ["messages"] = conversation.ToJson(),
            ["answers"] = loop.Answers,
            ["template"] = chosen.IsPlain ? ChatTemplate.PlainName : template ?? "model",
            ["seed"] = conversation.Seed,
        });
        return isSound ? Faults.Done : Faults.Failed;
    }
}
