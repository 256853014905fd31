using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench step</c>: the time of a training step, and how it changes with the shape.</summary>
internal static class BenchStep
{
    private const int DefaultSteps = 8;

    private static readonly string[] s_axes = [.. SweepAxis.All.Select(axis => axis.Name)];

    public static void Build(VerbCommand command)
    {
        var train = new TrainOptions(command, "--data", "--minutes", "--out");
        Option<string[]?> sweep = command.Names("--sweep", "Times other batches, contexts, widths (in heads of 64) or depths too, or every kind of mixer, feed-forward or residual connection", s_axes);
        command.JsonKeys = "tokensPerSecond (median step), gflops (by FLOPs per token, forward and backward), peakRssBytes, managedBytesPerStep (after warm-up), parameters, stepSeconds [each timed step]; "
            + "with --sweep: sweep [{axis, value (a number or a kind), parameters, tokensPerSecond (whole steps), gflops (of forward and backward), peakShare (of a matrix product's rate), updateMs (the optimizer's part), planBytes, "
            + $"cliff (peakShare is below {Display.Number(StepSweep.CliffShare)} of the best neighbor's; of numbers)}}]";
        command.Does(invocation => Run(invocation, train.Config(invocation), train.Steps(invocation) ?? DefaultSteps, invocation.Get(sweep) ?? []));
    }

    private static int Run(Invocation invocation, RunConfig config, int steps, string[] axes)
    {
        if (config.Train.Batch == 0)
        {
            throw UserException.Usage("bench step: --batch auto is for train, which tries sizes; name one");
        }

        config = RunVocab.Expect(config);
        using Backend backend = Devices.Open(invocation);
        PrecisionCheck.Require(config.Train.Precision, backend);
        MemoryCheck.Require(config, backend);
        StepBenchmark result = StepBenchmark.Run(config, backend, steps);
        Output output = invocation.Output;
        output.Table(
            numbers: false,
            ["tokens/s", Display.Number(result.TokensPerSecond, "0")],
            ["rate", Display.Short(result.FlopsPerSecond, "FLOP") + "/s"],
            ["peak memory", Display.Bytes(result.PeakResidentBytes)],
            ["managed bytes per step", Display.Number(result.ManagedBytesPerStep, "0")],
            ["parameters", Display.Count(result.Parameters)]);
        var json = new JsonObject
        {
            ["tokensPerSecond"] = result.TokensPerSecond,
            ["gflops"] = result.FlopsPerSecond / 1e9,
            ["peakRssBytes"] = result.PeakResidentBytes,
            ["managedBytesPerStep"] = result.ManagedBytesPerStep,
            ["parameters"] = result.Parameters,
            ["stepSeconds"] = new JsonArray([.. result.StepSeconds.Select(s => (JsonNode)s)]),
        };
        if (axes.Length > 0)
        {
            json["sweep"] = Sweep(output, config, backend, axes);
        }

        output.Result(json);
        return Faults.Done;
    }

    private static JsonArray Sweep(Output output, RunConfig config, Backend backend, string[] axes)
    {
        var json = new JsonArray();
        foreach (SweepAxis axis in SweepAxis.All.Where(axis => axes.Contains(axis.Name)))
        {
            IReadOnlyList<SweepCell> cells = StepSweep.Run(config, axis, backend, output.Note);
            bool IsCliff(int i) => axis.Kinds is null && StepSweep.IsCliff(cells, i);
            output.Line();
            output.Table(
                numbers: true,
                [
                    [axis.Name, "parameters", "tokens/s", "GFLOP/s", "of peak", "update ms", "memory", ""],
                    .. cells.Select((cell, i) => (string[])
                    [
                        axis.Label(cell.Value), Display.Count(cell.Parameters), Display.Count((long)cell.TokensPerSecond), Display.Number(cell.FlopsPerSecond / 1e9, "0.0"),
                        Display.Number(100 * cell.PeakShare, "0") + " %", Display.Number(1000 * cell.UpdateSeconds, "0.0"), Display.Bytes(cell.PlanBytes),
                        IsCliff(i) ? "cliff" : "",
                    ]),
                ]);
            foreach ((SweepCell cell, bool isCliff) in cells.Select((cell, i) => (cell, IsCliff(i))))
            {
                json.Add(new JsonObject
                {
                    ["axis"] = cell.Axis,
                    ["value"] = axis.Kinds is null ? cell.Value : axis.Label(cell.Value),
                    ["parameters"] = cell.Parameters,
                    ["tokensPerSecond"] = cell.TokensPerSecond,
                    ["gflops"] = cell.FlopsPerSecond / 1e9,
                    ["peakShare"] = cell.PeakShare,
                    ["updateMs"] = 1000 * cell.UpdateSeconds,
                    ["planBytes"] = cell.PlanBytes,
                    ["cliff"] = isCliff,
                });
            }
        }

        output.Line();
        output.Line(
            $"GFLOP/s and share of a matrix product's rate: of forward and backward, by the model's FLOPs; tokens/s: of whole steps; cliff: below {Display.Number(100 * StepSweep.CliffShare)} % of the best neighbor's share");
        return json;
    }
}
