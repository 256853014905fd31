using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Interventions;
using NanoFold.Engine.Taps;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>generate</c>: samples from a model.</summary>
internal static class GenerateCommand
{
    private const int MostSamples = 10_000;

    public static void Build(VerbCommand command)
    {
        var model = new ModelOptions(command);
        var prompts = new Prompts(command);
        Option<long?> samples = command.Integer("--samples", "Texts for each prompt; 1 if not given", 1, MostSamples);
        var sampling = new SamplingOptions(command, prompts.Unescaped);
        var edits = new EditOptions(command);
        command.JsonKeys = "samples [{prompt, text, tokenIds, finish (length, stop or eos), number (how many equal prompts stand before it: with prompt and seed it decides the text)}], seed, tokensPerSecond";
        command.Does(invocation => Run(
            invocation,
            model.Choice(invocation),
            edits.Edits(invocation),
            [.. prompts.All(invocation).SelectMany(prompt => Enumerable.Repeat(prompt, (int)(invocation.Get(samples) ?? 1)))],
            prompts.Specials(invocation),
            sampling.Change(invocation)));
    }

    private static int Run(Invocation invocation, ModelChoice model, IReadOnlyList<EditConfig> edits, string[] prompts, bool specials, Func<GenerationConfig, GenerationConfig> change)
    {
        Output output = invocation.Output;
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = model.Load(backend, output.Note);
        using ReadyEdits ready = ReadyEdits.ForWriting(trained, edits, output.Note, invocation.Interrupt.Token);
        using var generator = new Generator(trained.Model, trained.Tokenizer) { Taps = edits.Count > 0 ? new TapSet([], ready.Editors) : null, ParseSpecial = specials };
        GenerationConfig options = change(trained.Config.Generation);
        generator.Require(options);
        if (options.Keep > 0 && trained.Model.SlidesOn)
        {
            output.Note("--keep: this model goes on beyond its context without dropping anything; it counts for longer prompts only");
        }

        long seed = Seed(invocation);
        var text = new SampleWriter(output, prompts);
        text.Write(0, "");
        GenerationResult result = generator.Generate(prompts, options, (ulong)seed, text.Write, invocation.Interrupt.Token);
        text.End();
        foreach (GeneratedSample sample in result.Samples.Where(s => s.DroppedPromptTokens > 0))
        {
            string first = options.Keep > 0 ? $"after the first {Display.Count(options.Keep)} its next" : "its first";
            output.Note($"the prompt is longer than the context of {Display.Count(trained.Config.Model.Context)}: {first} {Display.Count(sample.DroppedPromptTokens, "token")} {(sample.DroppedPromptTokens == 1 ? "was" : "were")} left out");
        }

        output.Result(new JsonObject
        {
            ["samples"] = new JsonArray([.. result.Samples.Select(Describe)]),
            ["seed"] = seed,
            ["tokensPerSecond"] = result.TokensPerSecond,
        });
        return Faults.Done;
    }

    // One that was drawn is short enough to be typed again.
    private static long Seed(Invocation invocation)
    {
        if (invocation.Seed is { } given)
        {
            return given;
        }

        int drawn = Random.Shared.Next();
        invocation.Output.Note($"--seed {drawn}");
        return drawn;
    }

    private static JsonNode Describe(GeneratedSample sample) => new JsonObject
    {
        ["prompt"] = sample.Prompt,
        ["text"] = sample.Text,
        ["tokenIds"] = new JsonArray([.. sample.TokenIds.Select(id => (JsonNode)id)]),
        ["finish"] = sample.Finish.ToString().ToLowerInvariant(),
        ["number"] = sample.Number,
    };

    /// <summary>Each prompt with its text as it comes; a line of dashes after each where there are several.</summary>
    private sealed class SampleWriter(Output output, string[] prompts)
    {
        private int _shown = -1;

        public void Write(int index, string text)
        {
            Begin(index);
            output.Text.Write(text);
            output.Text.Flush();
        }

        public void End()
        {
            // A sample may have no text at all.
            Begin(prompts.Length - 1);
            EndOne();
        }

        private void Begin(int index)
        {
            while (_shown < index)
            {
                if (_shown >= 0)
                {
                    EndOne();
                }

                output.Text.Write(prompts[++_shown]);
            }
        }

        private void EndOne()
        {
            output.Text.WriteLine();
            if (prompts.Length > 1)
            {
                output.Text.WriteLine("---");
            }
        }
    }
}
