using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>generate</c>: samples from a model.</summary>
internal static class GenerateCommand
{
    public static void Build(VerbCommand command)
    {
        Option<string?> model = command.Text("--model", "RUN", "A run folder (its best checkpoint) or a checkpoint");
        var prompts = new Option<string[]>("--prompt") { HelpName = "TEXT", Description = "What to continue; several are continued side by side" };
        var stops = new Option<string[]>("--stop") { HelpName = "TEXT", Description = "End before this text; may be given several times" };
        command.Add(prompts);
        command.Add(stops);
        Option<long?> maxTokens = command.Integer("--max-tokens", "Tokens at most (generation.maxTokens)", 1, int.MaxValue);
        Option<string?> temperature = command.Text("--temperature", "X", "0 takes the likeliest token (generation.temperature)");
        Option<long?> topK = command.Integer("--top-k", "Sample from the K likeliest only, 0 for all (generation.topK)", 0, int.MaxValue);
        Option<string?> topP = command.Text("--top-p", "P", "Sample from the smallest set with this mass (generation.topP)");
        Option<string?> minP = command.Text("--min-p", "P", "Leave out what is below this share of the likeliest (generation.minP)");
        Option<string?> penalty = command.Text("--repetition-penalty", "X", "Above 1 makes tokens that were there less likely (generation.repetitionPenalty)");
        command.JsonKeys = "samples [{prompt, text, tokenIds, finish (length, stop or eos)}], tokensPerSecond";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(model) ?? throw UserException.Usage("--model is needed: a run folder of train, or a checkpoint"),
            invocation.Get(prompts) is { Length: > 0 } given ? given : [""],
            options => options with
            {
                MaxTokens = (int)(invocation.Get(maxTokens) ?? options.MaxTokens),
                Temperature = Number(invocation, temperature) ?? options.Temperature,
                TopK = (int)(invocation.Get(topK) ?? options.TopK),
                TopP = Number(invocation, topP) ?? options.TopP,
                MinP = Number(invocation, minP) ?? options.MinP,
                RepetitionPenalty = Number(invocation, penalty) ?? options.RepetitionPenalty,
                Stop = invocation.Get(stops) is { Length: > 0 } texts ? texts : options.Stop,
            }));
    }

    private static int Run(Invocation invocation, string path, string[] prompts, Func<GenerationConfig, GenerationConfig> change)
    {
        Output output = invocation.Output;
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        using var generator = new Generator(trained.Model, trained.Tokenizer);
        bool streams = prompts.Length == 1;
        ulong seed = (ulong)(invocation.Seed ?? Random.Shared.NextInt64());
        if (streams)
        {
            output.Text.Write(prompts[0]);
        }

        GenerationResult result = generator.Generate(prompts, change(trained.Config.Generation), seed, streams ? (_, text) => Stream(output, text) : null, invocation.Interrupt.Token);
        if (streams)
        {
            output.Text.WriteLine();
        }
        else
        {
            foreach (GeneratedSample sample in result.Samples)
            {
                output.Text.WriteLine($"{sample.Prompt}{sample.Text}");
                output.Text.WriteLine("---");
            }
        }

        foreach (GeneratedSample sample in result.Samples.Where(s => s.DroppedPromptTokens > 0))
        {
            output.Note($"the prompt is longer than the context of {trained.Config.Model.Context}: its first {sample.DroppedPromptTokens} tokens were left out");
        }

        output.Result(new JsonObject
        {
            ["samples"] = new JsonArray([.. result.Samples.Select(Describe)]),
            ["tokensPerSecond"] = result.TokensPerSecond,
        });
        return Faults.Done;
    }

    private static void Stream(Output output, string text)
    {
        output.Text.Write(text);
        output.Text.Flush();
    }

    private static JsonNode Describe(GeneratedSample sample) => new JsonObject
    {
        ["prompt"] = sample.Prompt,
        ["text"] = sample.Text,
        ["tokenIds"] = new JsonArray([.. sample.TokenIds.Select(id => (JsonNode)id)]),
        ["finish"] = sample.Finish.ToString().ToLowerInvariant(),
    };

    private static double? Number(Invocation invocation, Option<string?> option)
    {
        if (invocation.Get(option) is not { } text)
        {
            return null;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value)
            ? value
            : throw UserException.Usage($"{option.Name}: expected a number, got '{text}'");
    }
}
