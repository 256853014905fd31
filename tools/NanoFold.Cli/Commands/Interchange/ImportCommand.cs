using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs.Imports;

namespace NanoFold.Cli.Commands.Interchange;

/// <summary><c>import</c>: a folder of ours of a model of another program.</summary>
internal static class ImportCommand
{
    public static void Build(VerbCommand command)
    {
        var paths = new Argument<string[]>("PATH")
        {
            Description = "A folder of transformers (config.json, safetensors, tokenizer.json), or a file: GGUF, llama2.c, llm.c; several, or a folder of such folders, for the states of one model in training",
            Arity = ArgumentArity.OneOrMore,
        };
        command.Add(paths);
        Option<string?> target = command.Text("--out", "DIR", "The folder to write; what takes --model takes it");
        Option<string?> tokenizer = command.Text("--tokenizer", "FILE", "Its tokenizer; what lies beside the model if not given");
        Option<long?> context = command.Integer("--context", "Tokens that a sequence has at most; as the model says if not given", 1, 1 << 22);
        command.Common = [];
        command.JsonKeys = "path, format (what it was), parameters, layers, width, context, vocab, tokenizer (its kind, or null), chatTemplate (whether it came with one), steps (of the checkpoints, where there are several), ignored (what was left out), seconds";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(paths) ?? [],
            invocation.Get(target) ?? throw UserException.Usage("--out is needed: the folder to write"),
            new ImportOptions(invocation.Get(tokenizer), (int?)invocation.Get(context))));
    }

    private static int Run(Invocation invocation, string[] paths, string target, ImportOptions options)
    {
        Output output = invocation.Output;
        long start = Stopwatch.GetTimestamp();
        ImportedModel imported = ModelImport.Run(paths, target, options);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        ModelConfig model = imported.Run.Model;
        if (imported.Ignored.Count > 0)
        {
            output.Note($"left out, for it does not change the numbers: {string.Join(", ", imported.Ignored)}");
        }

        if (imported.Tokenizer is null)
        {
            output.Note("there is no tokenizer beside the model: it neither reads nor writes text; --tokenizer FILE gives it one");
        }

        output.Table(
            numbers: false,
            [
                ["what it was", imported.Format],
                ["parameters", Display.Count(imported.Parameters)],
                ["layers, width", $"{Display.Count(model.Layers)}, {Display.Count(model.Width)}"],
                ["context", Display.Count(model.Context)],
                ["vocabulary", Display.Count(model.Vocab)],
                ["tokenizer", imported.Tokenizer ?? "none"],
                ["chat template", imported.HasChatTemplate ? "kept" : "none"],
                .. imported.Steps.Count == 0 ? Array.Empty<string[]>() : [["steps", string.Join(", ", imported.Steps)]],
                ["written to", target],
            ]);
        output.Result(new JsonObject
        {
            ["path"] = target,
            ["format"] = imported.Format,
            ["parameters"] = imported.Parameters,
            ["layers"] = model.Layers,
            ["width"] = model.Width,
            ["context"] = model.Context,
            ["vocab"] = model.Vocab,
            ["tokenizer"] = imported.Tokenizer,
            ["chatTemplate"] = imported.HasChatTemplate,
            ["steps"] = new JsonArray([.. imported.Steps.Select(step => (JsonNode)step)]),
            ["ignored"] = new JsonArray([.. imported.Ignored.Select(key => (JsonNode)key)]),
            ["seconds"] = seconds,
        });
        return Faults.Done;
    }
}
