using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench weights</c>: loading a model and writing with it, its weights in memory as different types, activations as they are or rounded.</summary>
internal static class BenchWeights
{
    private const int MostTokens = 1 << 22, DefaultPrompt = 32, DefaultTokens = 64;

    public static void Build(VerbCommand command)
    {
        Option<string?> model = command.Text("--model", "RUN", ModelOptions.ModelHelp);
        Option<string[]?> weights = command.Names("--weights", "What weights are in memory, of each a row; auto and f32 if not given", WeightOptions.Known);
        Option<string[]?> activations = command.Names(ActivationOptions.Name, "What activations are, of each a row for every type of weights; int8 where these are blocks. f32 if not given", ActivationOptions.Known);
        var precision = new PrecisionOptions(command);
        Option<long?> prompt = command.Integer("--prompt-tokens", $"Tokens of the prompt; {DefaultPrompt} if not given", 1, MostTokens);
        Option<long?> written = command.Integer("--tokens", $"Tokens to write; {DefaultTokens} if not given", 1, MostTokens);
        command.Common = [CommonOptions.Device, CommonOptions.Threads];
        command.JsonKeys = "weights [{weights (auto, f32, f16, bf16, q8_0), activations (f32, int8), types (elements of each), loadSeconds, weightBytes, tokensPerSecond, prefillTokensPerSecond, bytesPerToken, bandwidthBytesPerSecond, bandwidthShare: as of bench decode}], promptTokens, tokens, threads";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(model) ?? throw UserException.Usage(ModelOptions.NoModel),
            invocation.Names(weights, "auto", "f32"),
            invocation.Names(activations, ActivationOptions.Float),
            precision.Precision(invocation),
            (int)(invocation.Get(prompt) ?? DefaultPrompt),
            (int)(invocation.Get(written) ?? DefaultTokens)));
    }

    private static int Run(Invocation invocation, string path, string[] weights, string[] activations, PrecisionKind precision, int promptTokens, int tokens)
    {
        using Backend backend = Devices.Open(invocation);
        PrecisionOptions.Apply(precision, backend, invocation.Output.Note);
        // With rounded activations among them a row is of both.
        bool areNamed = activations is not [ActivationOptions.Float];
        List<string[]> rows = [[areNamed ? "weights, activations" : "weights", "types", "load", "memory", "written/s", "prompt/s", "per token", "of memory"]];
        var results = new JsonArray();
        foreach (string name in weights)
        {
            long started = Stopwatch.GetTimestamp();
            using TrainedModel trained = TrainedModel.Load(path, backend, storage: WeightOptions.Of(name));
            double load = Stopwatch.GetElapsedTime(started).TotalSeconds;
            ParameterStore store = trained.Model.Store;
            if (promptTokens + (long)tokens > trained.Config.Model.Context)
            {
                throw UserException.Usage($"bench weights: --prompt-tokens {promptTokens} and --tokens {tokens} are more than the context of {trained.Config.Model.Context}; name fewer");
            }

            // Where rounding changes nothing there is no row of it; where none is left at all, that is said below.
            foreach (string of in activations.Where(of => of != ActivationOptions.Int8 || ActivationOptions.Matter(trained.Model)))
            {
                if (of == ActivationOptions.Int8)
                {
                    ActivationOptions.Round(backend, trained.Model, path);
                }

                DecodeBenchmark result = DecodeBenchmark.Run(trained.Model, backend, promptTokens, tokens, batch: 1);
                backend.RoundsActivations = false;
                Add(name, of, store, load, result);
            }
        }

        if (results.Count == 0)
        {
            throw new UserException($"bench weights: {path} has no matrices of Q8_0, Q4_0 or Q4_1 in memory with {string.Join(" or ", weights)}; leave {ActivationOptions.Name} out, or add --weights q8_0");
        }

        invocation.Output.Table(numbers: true, [.. rows]);
        invocation.Output.Result(new JsonObject { ["weights"] = results, ["promptTokens"] = promptTokens, ["tokens"] = tokens, ["threads"] = invocation.Threads });
        return Faults.Done;

        void Add(string name, string of, ParameterStore store, double load, DecodeBenchmark result)
        {
            (string Type, long Elements)[] types = [.. store.Parameters.GroupBy(parameter => parameter.Type).OrderByDescending(group => group.Sum(p => p.Layout.Count)).Select(group => (WeightOptions.NameOf(group.Key), group.Sum(p => p.Layout.Count)))];
            rows.Add([areNamed ? $"{name}, {of}" : name, string.Join('+', types.Where(type => type.Elements * 100 >= store.Parameters.Sum(p => p.Layout.Count)).Select(type => type.Type)), $"{Display.Number(load, "0.00")} s", Display.Bytes(store.Bytes),
                Display.Number(result.TokensPerSecond, "0.0"), Display.Number(result.PrefillTokensPerSecond, "0"), Display.Bytes((long)result.BytesPerToken), $"{Display.Number(100 * result.BandwidthShare, "0")} %"]);
            var elements = new JsonObject();
            foreach ((string type, long count) in types)
            {
                elements[type] = count;
            }

            results.Add(new JsonObject
            {
                ["weights"] = name,
                ["activations"] = of,
                ["types"] = elements,
                ["loadSeconds"] = load,
                ["weightBytes"] = store.Bytes,
                ["tokensPerSecond"] = result.TokensPerSecond,
                ["prefillTokensPerSecond"] = result.PrefillTokensPerSecond,
                ["bytesPerToken"] = result.BytesPerToken,
                ["bandwidthBytesPerSecond"] = result.BandwidthBytesPerSecond,
                ["bandwidthShare"] = result.BandwidthShare,
            });
        }
    }
}
