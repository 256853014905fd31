using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench streams</c>: texts written side by side, as <c>serve</c> does.</summary>
internal static class BenchStreams
{
    private const int DefaultPrompt = 32, DefaultTokens = 32, MostStreams = 1024, MostTokens = 1 << 22;

    public static void Build(VerbCommand command)
    {
        Option<string?> model = command.Text("--model", "RUN", "A run, a checkpoint or a model of another program; random weights of the configuration if not given");
        Option<int[]?> streams = command.Integers("--streams", "Numbers of texts, separated by commas; 1,2,4,8,16 if not given", 1, MostStreams);
        Option<long?> prompt = command.Integer("--prompt-tokens", $"Tokens of each text before; {DefaultPrompt} if not given", 1, MostTokens);
        Option<long?> written = command.Integer("--tokens", $"Tokens to write to each; {DefaultTokens} if not given", 1, MostTokens);
        var weights = new WeightOptions(command);
        var activations = new ActivationOptions(command);
        var cache = new CacheOptions(command);
        var precision = new PrecisionOptions(command, PrecisionOptions.WithWeights);
        var train = new TrainOptions(command, "--task", "--data", "--steps", "--minutes", "--out", "--batch");
        command.JsonKeys = "cases [{streams, tokensPerSecond (of all texts; median step), ratio (to the first)}], promptTokens, tokens, threads";
        command.Does(invocation =>
        {
            int[] counts = invocation.Get(streams) is { Length: > 0 } given ? given : [1, 2, 4, 8, 16];
            int promptTokens = (int)(invocation.Get(prompt) ?? DefaultPrompt), tokens = (int)(invocation.Get(written) ?? DefaultTokens);
            using Backend backend = Devices.Open(invocation);
            PrecisionKind computed = precision.Precision(invocation);
            PrecisionOptions.Apply(computed, backend, invocation.Output.Note);
            if (invocation.Get(model) is { } path)
            {
                using TrainedModel trained = TrainedModel.Load(path, backend, storage: PrecisionOptions.Weights(computed, weights, invocation));
                if (activations.Rounds(invocation))
                {
                    ActivationOptions.Round(backend, trained.Model, path);
                }

                CacheOptions.Apply(cache.Type(invocation), backend, trained.Model, path);

                return Run(invocation, trained.Model, counts, promptTokens, tokens);
            }

            if (weights.IsGiven(invocation) || activations.Rounds(invocation))
            {
                throw UserException.Usage($"bench streams: {WeightOptions.Name} and {ActivationOptions.Name} are for the weights of a model; name one with --model");
            }

            RunConfig config = RunVocab.Expect(train.Config(invocation));
            using Transformer random = RandomModel.Create(config, backend, PrecisionOptions.Weights(computed, weights, invocation));
            CacheOptions.Apply(cache.Type(invocation), backend, random, "this model");
            return Run(invocation, random, counts, promptTokens, tokens);
        });
    }

    private static int Run(Invocation invocation, Transformer model, int[] counts, int promptTokens, int tokens)
    {
        IReadOnlyList<StreamBenchmark> results = StreamBenchmark.Run(model, counts, promptTokens, tokens);
        double first = results[0].TokensPerSecond;
        Output output = invocation.Output;
        output.Table(
            numbers: true,
            [
                ["texts", "tokens/s", "each", "ratio"],
                .. results.Select(result => new[]
                {
                    $"{result.Streams}", Display.Number(result.TokensPerSecond, "0.0"), Display.Number(result.TokensPerSecond / result.Streams, "0.0"),
                    Display.Number(result.TokensPerSecond / first, "0.00"),
                }),
            ]);
        output.Result(new JsonObject
        {
            ["cases"] = new JsonArray([.. results.Select(result => new JsonObject
            {
                ["streams"] = result.Streams, ["tokensPerSecond"] = result.TokensPerSecond, ["ratio"] = result.TokensPerSecond / first,
            })]),
            ["promptTokens"] = promptTokens,
            ["tokens"] = tokens,
            ["threads"] = invocation.Threads,
        });
        return Faults.Done;
    }
}
