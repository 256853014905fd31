using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Profiling;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Cli.Commands.Bench.Processors;

/// <summary>
/// The part of <c>bench cpu</c> about the runs of its worker pool: what one costs, where threads wait in a step, and what would be lost on
/// other numbers of cores.
/// </summary>
internal sealed class CpuRunFigures(int threads, Output output, JsonObject json)
{
    private const int MostForecastSteps = 9;
    private const int LostCores = 16;

    // A run's cost on other numbers of cores is not measured but assumed.
    private const double SecondsPerRun = 1e-6, SecondsPerCore = 1e-7;

    // Kernels that take less share no line.
    private const double LeastSeconds = 2e-5;

    private static readonly int[] s_cores = [1, 2, 4, 8, 16, 64];

    // Any peak will do: shares of it are not asked for.
    private static readonly Roofline s_noPeak = new(1, 1);

    public void Write(IReadOnlyList<RunConfig> configs, int steps)
    {
        var presets = new JsonArray();
        json["runs"] = new JsonObject { ["empty"] = Empty(), ["presets"] = presets };
        foreach (RunConfig config in configs)
        {
            var preset = new JsonObject { ["preset"] = config.Preset };
            presets.Add(preset);
            if (threads > 1)
            {
                preset["kernels"] = Kernels(config, steps);
            }

            using var alone = new CpuBackend(1);
            StepItems items = StepItems.Measure(config, alone, Math.Min(steps, MostForecastSteps));
            preset["forecast"] = Forecast(config, items);
            preset["lost"] = Lost(config, items);
        }
    }

    private JsonArray Empty()
    {
        int[] counts = [.. Enumerable.Range(0, 12).Select(bit => 1 << bit).Where(n => n < threads).Append(threads)];
        (int Threads, double Seconds)[] costs = [.. counts.Select(n => (n, RunCost.Measure(n)))];
        output.Line();
        output.Table(numbers: true, [["an empty run, threads", .. costs.Select(c => Display.Count(c.Threads))], ["µs", .. costs.Select(c => Display.Number(1e6 * c.Seconds, "0.00"))]]);
        return [.. costs.Select(c => (JsonNode)new JsonObject { ["threads"] = c.Threads, ["us"] = 1e6 * c.Seconds })];
    }

    private JsonArray Kernels(RunConfig config, int steps)
    {
        using var backend = new CpuBackend(threads);
        using var profiler = new Profiler(config, backend);
        IReadOnlyList<RunRow> rows = profiler.Run(s_noPeak, steps: steps).Runs;
        output.Line();
        output.Table(numbers: true,
        [
            [$"{config.Preset}, runs on {Display.Count(threads)} threads", "runs", "items", "ms", "threads idle", "took part", "µs to 2nd"],
            .. rows.Where(row => row.Seconds >= LeastSeconds).Select(row => (string[])
            [
                row.Name, Display.Number(row.Runs, "0"), Display.Number(row.Items, "0"), Milliseconds(row.Seconds), $"{Display.Number(100 * row.IdleShare, "0")} %", Display.Number(row.Threads, "0.0"),
                ProfileTable.ToSecond(row),
            ]),
        ]);
        return
        [
            .. rows.Select(row => (JsonNode)new JsonObject
            {
                ["name"] = row.Name, ["runs"] = row.Runs, ["items"] = row.Items, ["ms"] = 1e3 * row.Seconds, ["idleShare"] = row.IdleShare, ["threads"] = row.Threads, ["usToSecond"] = 1e6 * row.SecondsToSecond,
            }),
        ];
    }

    private JsonArray Forecast(RunConfig config, StepItems items)
    {
        CoreForecast[] forecasts = [.. s_cores.Select(cores => CoreForecast.Of(items, cores, SecondsPerRun + (SecondsPerCore * cores)))];
        output.Line();
        output.Table(numbers: true,
        [
            [$"{config.Preset}, expected on cores", "ms", "times as fast", "shared", "uneven", "serial", "runs"],
            .. forecasts.Select(f => (string[])
            [
                Display.Count(f.Cores), Milliseconds(f.Seconds), Display.Number(items.Seconds / f.Seconds, "0.0"), Milliseconds(f.SharedSeconds), Milliseconds(f.UnevenSeconds), Milliseconds(f.SerialSeconds), Milliseconds(f.RunSeconds),
            ]),
        ]);
        return
        [
            .. forecasts.Select(f => (JsonNode)new JsonObject
            {
                ["cores"] = f.Cores, ["ms"] = 1e3 * f.Seconds, ["sharedMs"] = 1e3 * f.SharedSeconds, ["unevenMs"] = 1e3 * f.UnevenSeconds, ["serialMs"] = 1e3 * f.SerialSeconds, ["runMs"] = 1e3 * f.RunSeconds,
            }),
        ];
    }

    private JsonArray Lost(RunConfig config, StepItems items)
    {
        IReadOnlyList<LostTime> lost = CoreForecast.Lost(items, LostCores);
        output.Line();
        output.Table(numbers: true,
        [
            [$"{config.Preset}, lost on {LostCores} cores", "runs", "items", "ms on one", "lost ms"],
            .. lost.Where(row => row.LostSeconds >= LeastSeconds).Select(row => (string[])[row.Name, Display.Count(row.Runs), Display.Count(row.Items), Milliseconds(row.Seconds), Milliseconds(row.LostSeconds)]),
        ]);
        return [.. lost.Select(row => (JsonNode)new JsonObject { ["name"] = row.Name, ["runs"] = row.Runs, ["items"] = row.Items, ["ms"] = 1e3 * row.Seconds, ["lostMs"] = 1e3 * row.LostSeconds })];
    }

    private static string Milliseconds(double seconds) => Display.Number(1e3 * seconds, "0.00");
}
