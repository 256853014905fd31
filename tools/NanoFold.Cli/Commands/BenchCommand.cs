using System.Text.Json.Nodes;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Configuration;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>bench</c>: figures for one part.</summary>
internal static class BenchCommand
{
    private const int DefaultSteps = 8;

    public static void Build(VerbCommand command)
    {
        VerbCommand step = command.Sub("step", "Time of a training step, on random tokens");
        var train = new TrainOptions(step);
        step.JsonKeys = "tokensPerSecond (median step), gflops (by FLOPs per token, forward and backward), peakRssBytes, managedBytesPerStep (after warm-up), parameters";
        step.Does(invocation => Step(invocation, train.Config(invocation), train.Steps(invocation) ?? DefaultSteps));
    }

    private static int Step(Invocation invocation, RunConfig config, int steps)
    {
        config = config.WithVocab(config.Tokenizer.ExpectedVocab(config.Data));
        using Backend backend = Devices.Open(invocation);
        StepBenchmark result = StepBenchmark.Run(config, backend, steps);
        Output output = invocation.Output;
        output.Table(
            numbers: false,
            ["tokens/s", Display.Number(result.TokensPerSecond, "0")],
            ["rate", Display.Quantity(result.FlopsPerSecond, "FLOP") + "/s"],
            ["peak memory", Display.Bytes(result.PeakResidentBytes)],
            ["managed bytes per step", Display.Number(result.ManagedBytesPerStep, "0")],
            ["parameters", Display.Count(result.Parameters)]);
        output.Result(new JsonObject
        {
            ["tokensPerSecond"] = result.TokensPerSecond,
            ["gflops"] = result.FlopsPerSecond / 1e9,
            ["peakRssBytes"] = result.PeakResidentBytes,
            ["managedBytesPerStep"] = result.ManagedBytesPerStep,
            ["parameters"] = result.Parameters,
            ["stepSeconds"] = new JsonArray([.. result.StepSeconds.Select(s => (JsonNode)s)]),
        });
        return Faults.Done;
    }
}
