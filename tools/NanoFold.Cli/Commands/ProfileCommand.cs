using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Profiling;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Cli.Commands;

/// <summary><c>profile</c>: where a training step's time goes.</summary>
internal static class ProfileCommand
{
    private const int MostSteps = 1000;

    private static readonly (string Name, OpGrouping Grouping)[] s_groupings =
        [("op", OpGrouping.Op), ("module", OpGrouping.Module), ("node", OpGrouping.Node)];

    public static void Build(VerbCommand command)
    {
        var train = new TrainOptions(command, "--data", "--minutes", "--out");
        Option<string?> by = command.Text("--by", "op|module|node", "Rows of the first table: ops (the default), modules, or every node of the tape");
        Option<string?> trace = command.Text("--trace", "FILE", "Write one step in Chrome's trace format, for ui.perfetto.dev");
        Option<bool> remeasure = command.Flag("--remeasure", "Measure the machine's peak rate and memory bandwidth again");
        command.JsonKeys = """
            ops [{name, phase (begin, forward, backward or update), calls, ms, share, flops, bytes, gflops, gbps, bound (compute or memory), rooflineShare (over 1: from a cache)}],
              kernels [the same], all per step; runs [{name, runs, items, ms, idleShare (of the threads' time), threads (that did an item), usToSecond (until a second one was there)}] (of the worker pool, on several threads); compiled [{name, registers, localBytes, sharedBytes}] (on CUDA); peak {flopsPerSecond, bytesPerSecond}, tokensPerSecond (median step without profiling), stepMs, msInNoOp,
              flops, gflops, peakShare, overhead (of profiling, a share; median of pairs of steps), overheadQuartiles [2], managedBytesPerStep, steps (profiled), by, trace (the file, or null)
            """;
        command.Does(invocation => Run(
            invocation, train.Config(invocation), train.Steps(invocation) ?? 0, Grouping(invocation.Get(by)), invocation.Get(trace), invocation.Get(remeasure)));
    }

    private static OpGrouping Grouping(string? name)
        => name is null ? OpGrouping.Op
        : Array.FindIndex(s_groupings, g => g.Name == name) is >= 0 and var index ? s_groupings[index].Grouping
        : throw UserException.Usage($"--by {name}: expected one of {string.Join(", ", s_groupings.Select(g => g.Name))}");

    private static int Run(Invocation invocation, RunConfig config, int steps, OpGrouping grouping, string? trace, bool remeasure)
    {
        if (config.Train.Batch == 0)
        {
            throw UserException.Usage("profile: --batch auto is for train, which tries sizes; name one");
        }

        if (steps > MostSteps)
        {
            throw UserException.Usage($"profile: --steps {steps}: at most {MostSteps} steps are profiled");
        }

        // Before the steps run, not after.
        if (trace is not null)
        {
            OutputFile.Require(trace, "--trace");
        }

        config = RunVocab.Expect(config);
        using Backend backend = Devices.Open(invocation);
        PrecisionCheck.Require(config.Train.Precision, backend);
        MemoryCheck.Require(config, backend);
        Output output = invocation.Output;
        // What products are held against is what they may be computed with.
        Roofline peak = new RooflineCache().Get(backend, Processor.Name(), remeasure, output.Note, config.Train.Precision.Arithmetic(backend));
        using var profiler = new Profiler(config, backend);
        ProfileReport report = profiler.Run(peak, grouping, steps);
        if (trace is not null)
        {
            OutputFile.Write(trace, report.WriteTrace);
        }

        output.Line($"{config.Preset}: {Display.Count(profiler.Parameters)} parameters, {Display.Count((long)config.Train.Batch * config.Train.Accumulate)} × {Display.Count(config.Model.Context)} tokens per step; {backend.Name}; {Display.Count(report.Steps, "step")} profiled");
        new ProfileTable(output, report).Write();
        foreach (CompiledKernel kernel in backend.CompiledKernels.Where(k => k.LocalBytes > 0))
        {
            output.Line($"{kernel.Name}: {Display.Count(kernel.LocalBytes)} bytes of local memory a thread, beside {kernel.Registers} registers");
        }

        if (trace is not null)
        {
            output.Line($"trace of one step: {trace}, for ui.perfetto.dev or chrome://tracing");
        }

        output.Result(Result(report, backend, trace));
        return Faults.Done;
    }

    private static JsonObject Result(ProfileReport report, Backend backend, string? trace) => new()
    {
        ["ops"] = Rows(report.Ops, report.Peak),
        ["kernels"] = Rows(report.Kernels, report.Peak),
        ["compiled"] = new JsonArray([.. backend.CompiledKernels.Select(k => (JsonNode)new JsonObject
        {
            ["name"] = k.Name, ["registers"] = k.Registers, ["localBytes"] = k.LocalBytes, ["sharedBytes"] = k.SharedBytes,
        })]),
        ["runs"] = new JsonArray([.. report.Runs.Select(row => (JsonNode)new JsonObject
        {
            ["name"] = row.Name, ["runs"] = row.Runs, ["items"] = row.Items, ["ms"] = row.Seconds * 1e3, ["idleShare"] = row.IdleShare, ["threads"] = row.Threads, ["usToSecond"] = row.SecondsToSecond * 1e6,
        })]),
        ["peak"] = new JsonObject { ["flopsPerSecond"] = report.Peak.FlopsPerSecond, ["bytesPerSecond"] = report.Peak.BytesPerSecond },
        ["tokensPerSecond"] = report.TokensPerSecond,
        ["stepMs"] = report.StepSeconds * 1e3,
        ["msInNoOp"] = report.SecondsOutside * 1e3,
        ["flops"] = report.Step.Flops,
        ["gflops"] = report.Step.FlopsPerSecond / 1e9,
        ["peakShare"] = report.Step.FlopsPerSecond / report.Peak.FlopsPerSecond,
        ["overhead"] = report.Overhead,
        ["overheadQuartiles"] = new JsonArray(report.OverheadQuartiles.Low, report.OverheadQuartiles.High),
        ["managedBytesPerStep"] = report.ManagedBytesPerStep,
        ["steps"] = report.Steps,
        ["by"] = s_groupings.First(g => g.Grouping == report.Grouping).Name,
        ["trace"] = trace,
    };

    private static JsonArray Rows(IEnumerable<ProfileRow> rows, Roofline peak) => [.. rows.Select(row => (JsonNode)new JsonObject
    {
        ["name"] = row.Name,
        ["phase"] = row.Phase.ToString().ToLowerInvariant(),
        ["calls"] = row.Calls,
        ["ms"] = row.Seconds * 1e3,
        ["share"] = row.Share,
        ["flops"] = row.Flops,
        ["bytes"] = row.Bytes,
        ["gflops"] = row.FlopsPerSecond / 1e9,
        ["gbps"] = row.BytesPerSecond / 1e9,
        ["bound"] = peak.IsComputeBound(row.Flops, row.Bytes) ? "compute" : "memory",
        ["rooflineShare"] = peak.ShareOf(row),
    })];
}
