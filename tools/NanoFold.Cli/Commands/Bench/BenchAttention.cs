using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench attention</c>: the fused kernel over contexts, or every kind of mixer beside it.</summary>
internal static class BenchAttention
{
    private const int TokensPerCase = 4096;
    private const int MostContext = 1 << 20;
    private const long MostElements = 1L << 28;

    private static readonly int[] s_contexts = [256, 512, 1024, 2048, 4096];

    public static void Build(VerbCommand command)
    {
        Option<int[]?> contexts = command.Integers("--context", "Tokens per sequence; 256,512,1024,2048,4096 if not given", 1, MostContext);
        Option<long?> heads = command.Integer("--heads", "Query heads", 1, 4096);
        Option<long?> kvHeads = command.Integer("--kv-heads", "Key and value heads; as many as query heads if only those are given", 1, 4096);
        Option<long?> headDim = command.Integer("--head-dim", "Elements of a head", 1, 4096);
        Option<long?> batch = command.Integer("--batch", $"Sequences; {TokensPerCase} tokens in all if not given", 1, 1 << 20);
        Option<long?> window = command.Integer("--window", "Keys that a query sees, its own and those before it; all if not given", 1, MostContext);
        Option<long?> documents = command.Integer("--documents", "Tokens of a document, which sees nothing of others; a sequence is one if not given", 1, MostContext);
        Option<string?> preset = command.Text("--preset", string.Join('|', Presets.Names), "Whose heads; small if not given");
        contexts.Aliases.Add("--contexts");
        var mixers = new BenchMixers(command);
        command.Common = [CommonOptions.Device, CommonOptions.Threads];
        command.JsonKeys = "cases [{context, heads, kvHeads, headDim, batch, window (0 for all), documents (tokens of each, 0 for one a sequence), threads, forwardMs, backwardMs (of the whole batch, medians), gflops (both passes, by visible pairs), bytes (operands, results, gradients and scratch)}], "
            + "growth {context, timePerSquare, bytesPerToken} (the last case relative to the first; time for a sequence over context²); "
            + BenchMixers.JsonKeys;
        command.Does(invocation =>
        {
            ModelConfig model = Presets.Of(invocation.Get(preset) ?? "small").Model.Resolve();
            int h = (int)(invocation.Get(heads) ?? model.Heads);
            int g = (int)(invocation.Get(kvHeads) ?? (invocation.Get(heads) is null ? model.KvHeads : h));
            // An option for a list that is not given is an empty one.
            int[] lengths = invocation.Get(contexts) is { Length: > 0 } given ? given : s_contexts;
            if (mixers.IsAsked(invocation))
            {
                if (invocation.Get(window) is not null)
                {
                    throw UserException.Usage("bench attention: --window is for the kernel alone; with --mixers sliding-window say --set model.mixer.window=N");
                }

                if (invocation.Get(documents) is not null)
                {
                    throw UserException.Usage("bench attention: --documents is for the kernel alone; leave out --mixers or --documents");
                }

                (string Key, long? Value)[] shape =
                [
                    ("heads", invocation.Get(heads)), ("kvHeads", invocation.Get(kvHeads) ?? invocation.Get(heads)), ("headDim", invocation.Get(headDim) ?? model.HeadDim),
                ];
                return mixers.Run(invocation, invocation.Get(preset) ?? "small", shape, [.. lengths.Select(context => (context, Batch(context)))]);
            }

            return Run(invocation, [.. lengths.Select(context => Checked(new AttentionCase(
                context, h, g, (int)(invocation.Get(headDim) ?? model.HeadDim), Batch(context), (int)(invocation.Get(window) ?? 0), (int)(invocation.Get(documents) ?? 0))))]);

            int Batch(int context) => (int)(invocation.Get(batch) ?? Math.Max(1, TokensPerCase / context));
        });
    }

    private static AttentionCase Checked(AttentionCase shape)
    {
        if (shape.Heads % shape.KvHeads != 0)
        {
            throw UserException.Usage($"bench attention: --heads {shape.Heads} is not a multiple of --kv-heads {shape.KvHeads}");
        }

        return shape.Elements <= MostElements
            ? shape
            : throw UserException.Usage(
                $"bench attention: batch {shape.Batch} × context {shape.Context} × heads {shape.Heads} × head dimension {shape.HeadDim} are {shape.Elements} elements; at most {MostElements} are supported");
    }

    private static int Run(Invocation invocation, AttentionCase[] cases)
    {
        using Backend backend = Devices.Open(invocation);
        // q, y and their gradients, and as much of keys and values at most.
        DeviceMemory.Require(8 * sizeof(float) * cases.Max(c => (Int128)c.Elements), "bench attention", "a smaller --batch or --context", backend);
        AttentionResult[] results = [.. cases.Select(c => AttentionResult.Measure(c, backend))];
        AttentionResult first = results[0], last = results[^1];
        double square = last.SecondsPerSquare / first.SecondsPerSquare, perToken = last.BytesPerToken / first.BytesPerToken;
        Output output = invocation.Output;
        AttentionCase shape = cases[0];
        output.Line($"{shape.Heads} heads of {shape.HeadDim} on {Display.Count(shape.KvHeads, "key head")}, causal{Words("window", shape.Window)}{Words("documents of", shape.Documents)}, {backend.Name}");
        output.Table(
            numbers: true,
            [
                ["context", "batch", "forward ms", "backward ms", "GFLOP/s", "memory"],
                .. results.Select(r => (string[])
                [
                    Display.Count(r.Case.Context), Display.Count(r.Case.Batch), Display.Number(1000 * r.ForwardSeconds, "0.00"), Display.Number(1000 * r.BackwardSeconds, "0.00"),
                    Display.Number(r.FlopsPerSecond / 1e9, "0.0"), Display.Bytes(r.Bytes),
                ]),
            ]);
        if (results.Length > 1)
        {
            output.Line(
                $"from context {Display.Count(first.Case.Context)} to {Display.Count(last.Case.Context)}: time for a sequence / context² {Display.Number(square)} ×, bytes / token {Display.Number(perToken)} ×");
        }

        output.Result(new JsonObject
        {
            ["cases"] = new JsonArray([.. results.Select(r => (JsonNode)Describe(r, invocation.Threads))]),
            ["growth"] = new JsonObject { ["context"] = (double)last.Case.Context / first.Case.Context, ["timePerSquare"] = square, ["bytesPerToken"] = perToken },
        });
        return Faults.Done;
    }

    private static string Words(string what, int count) => count == 0 ? "" : $", {what} {Display.Count(count)}";

    private static JsonObject Describe(AttentionResult result, int threads) => new()
    {
        ["context"] = result.Case.Context,
        ["heads"] = result.Case.Heads,
        ["kvHeads"] = result.Case.KvHeads,
        ["headDim"] = result.Case.HeadDim,
        ["batch"] = result.Case.Batch,
        ["window"] = result.Case.Window,
        ["documents"] = result.Case.Documents,
        ["threads"] = threads,
        ["forwardMs"] = 1000 * result.ForwardSeconds,
        ["backwardMs"] = 1000 * result.BackwardSeconds,
        ["gflops"] = result.FlopsPerSecond / 1e9,
        ["bytes"] = result.Bytes,
    };
}
