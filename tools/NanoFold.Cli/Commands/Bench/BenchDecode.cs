using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench decode</c>: reading a prompt and writing token by token.</summary>
internal static class BenchDecode
{
    private const int MostDefaultTokens = 64;
    private const int MostTokens = 1 << 22;

    public static void Build(VerbCommand command)
    {
        Option<long?> written = command.Integer("--tokens", $"Tokens to write; what is left of the context, at most {MostDefaultTokens}, if not given", 1, MostTokens);
        var precision = new PrecisionOptions(command, ", and keeps weights in bf16");
        var train = new TrainOptions(command, "--task", "--data", "--steps", "--minutes", "--out");
        Option<long?> prompt = command.Integer("--prompt-tokens", "Tokens of the prompt; half the context if not given", 1, MostTokens);
        command.JsonKeys = "tokensPerSecond (written, of the whole batch; median), prefillTokensPerSecond (read), bytesPerToken (weights and cache that a written token reads, at the mean position), "
            + "bandwidthBytesPerSecond (memory read by the same threads, measured in between), bandwidthShare (bytesPerToken · tokensPerSecond of it; above 1 where caches hold the weights), promptTokens, tokens, batch, threads";
        command.Does(invocation =>
        {
            RunConfig config = RunVocab.Expect(train.Config(invocation));
            int batch = train.Batch(invocation) ?? 1, context = config.Model.Context;
            if (batch == 0)
            {
                throw UserException.Usage("bench decode: --batch auto is for train, which tries sizes; name one");
            }

            int promptTokens = (int)(invocation.Get(prompt) ?? Math.Max(1, Math.Min(context / 2, context - (invocation.Get(written) ?? 1))));
            int tokens = (int)(invocation.Get(written) ?? Math.Clamp(context - promptTokens, 1, MostDefaultTokens));
            return Run(invocation, config, precision.Precision(invocation), promptTokens, tokens, batch);
        });
    }

    private static int Run(Invocation invocation, RunConfig config, PrecisionKind precision, int promptTokens, int tokens, int batch)
    {
        using Backend backend = Devices.Open(invocation);
        Output output = invocation.Output;
        PrecisionOptions.Apply(precision, backend, output.Note);
        DecodeBenchmark result = DecodeBenchmark.Run(config, backend, promptTokens, tokens, batch, PrecisionOptions.Weights(precision));
        output.Table(
            numbers: false,
            ["written", $"{Display.Number(result.TokensPerSecond, "0")} tokens/s ({Display.Count(tokens, "token")} to {Display.Count(batch, "prompt")} of {Display.Count(promptTokens)})"],
            ["prompt read", $"{Display.Number(result.PrefillTokensPerSecond, "0")} tokens/s"],
            ["reads per token", Display.Bytes((long)result.BytesPerToken)],
            ["memory", $"{Display.Number(result.BandwidthBytesPerSecond / 1e9, "0.0")} GB/s, of which writing takes {Display.Number(100 * result.BandwidthShare, "0")} %{(result.BandwidthShare > 1 ? ": caches hold weights" : "")}"]);
        output.Result(new JsonObject
        {
            ["tokensPerSecond"] = result.TokensPerSecond,
            ["prefillTokensPerSecond"] = result.PrefillTokensPerSecond,
            ["bytesPerToken"] = result.BytesPerToken,
            ["bandwidthBytesPerSecond"] = result.BandwidthBytesPerSecond,
            ["bandwidthShare"] = result.BandwidthShare,
            ["promptTokens"] = promptTokens,
            ["tokens"] = tokens,
            ["batch"] = batch,
            ["threads"] = invocation.Threads,
        });
        return Faults.Done;
    }
}
