using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Commands.Bench;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Training;
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
        step.JsonKeys = "tokensPerSecond (median step), gflops (by FLOPs per token, forward and backward), peakRssBytes, managedBytesPerStep (after warm-up), parameters, stepSeconds [each timed step]";
        VerbCommand gemm = command.Sub("gemm", "Rate of matrix products: 1024³ and those of a preset's linear layers, or one given shape");
        Option<string?> preset = gemm.Text("--preset", "NAME", "nano, small (the default) or gpt2, with a byte vocabulary");
        Option<long?> m = gemm.Integer("--m", "Rows of the result; the tokens of a preset's batch if only this is given", 1, 1 << 20);
        Option<long?> n = gemm.Integer("--n", "Columns of the result", 1, 1 << 20);
        Option<long?> k = gemm.Integer("--k", "Inner length", 1, 1 << 20);
        Option<bool> transposeA = gemm.Flag("--trans-a", "a is stored [k, m]");
        Option<bool> transposeB = gemm.Flag("--trans-b", "b is stored [n, k]");
        gemm.JsonKeys = "cases [{name, m, n, k, transA, transB, threads, gflops (median of 15)}]";
        gemm.Does(invocation => Gemm(invocation, Cases(
            invocation.Get(preset) ?? "small", invocation.Get(m), invocation.Get(n), invocation.Get(k), invocation.Get(transposeA), invocation.Get(transposeB))));
        BenchKernel.Build(command.Sub("kernel", "One kernel: right first, then its time, against the machine and against an earlier version"));
        step.Does(invocation => Step(invocation, train.Config(invocation), train.Steps(invocation) ?? DefaultSteps));
    }

    private static IEnumerable<GemmCase> Cases(string preset, long? m, long? n, long? k, bool transposeA, bool transposeB)
    {
        if (n is null && k is null && !transposeA && !transposeB)
        {
            RunConfig config = Presets.Of(preset);
            int tokens = (int)(m ?? config.Train.Batch * config.Model.Context);
            return [new GemmCase("cube", 1024, 1024, 1024, false, false), .. GemmCase.Of(config.Model with { Vocab = 256 }, tokens)];
        }

        return m is { } rows && n is { } columns && k is { } inner
            ? [new GemmCase("given", (int)rows, (int)columns, (int)inner, transposeA, transposeB)]
            : throw UserException.Usage("bench gemm: one shape needs --m, --n and --k");
    }

    private static int Gemm(Invocation invocation, IEnumerable<GemmCase> cases)
    {
        using Backend backend = Devices.Open(invocation);
        GemmResult[] results = [.. cases.Select(c => GemmResult.Measure(c, backend))];
        Output output = invocation.Output;
        output.Table(
            numbers: true,
            [
                ["product", "m", "n", "k", "form", "GFLOP/s"],
                .. results.Select(r => (string[])
                [
                    r.Case.Name, $"{r.Case.M}", $"{r.Case.N}", $"{r.Case.K}",
                    $"{(r.Case.TransposeA ? "aᵀ" : "a")} {(r.Case.TransposeB ? "bᵀ" : "b")}", Display.Number(r.FlopsPerSecond / 1e9, "0.0"),
                ]),
            ]);
        output.Result(new JsonObject
        {
            ["cases"] = new JsonArray([.. results.Select(r => (JsonNode)new JsonObject
            {
                ["name"] = r.Case.Name,
                ["m"] = r.Case.M,
                ["n"] = r.Case.N,
                ["k"] = r.Case.K,
                ["transA"] = r.Case.TransposeA,
                ["transB"] = r.Case.TransposeB,
                ["threads"] = invocation.Threads,
                ["gflops"] = r.FlopsPerSecond / 1e9,
            })]),
        });
        return Faults.Done;
    }

    private static int Step(Invocation invocation, RunConfig config, int steps)
    {
        if (config.Train.Batch == 0)
        {
            throw UserException.Usage("bench step: --batch auto is for train, which tries sizes; name one");
        }

        config = TrainOptions.WithVocab(config);
        using Backend backend = Devices.Open(invocation);
        MemoryCheck.Require(config, backend);
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
