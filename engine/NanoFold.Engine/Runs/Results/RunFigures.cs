using System.Text.Json.Nodes;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Engine.Runs;

/// <summary>The figures of a run that has ended, by their keys.</summary>
public static class RunFigures
{
    /// <summary>What <c>train --json</c> gives: the speed and the seconds are of this start of the run.</summary>
    public static JsonObject Of(TrainSession session, TrainSummary summary)
    {
        var figures = new JsonObject
        {
            [RunResult.StepsKey] = summary.Steps,
            ["trainLoss"] = summary.TrainLoss,
            ["validationLoss"] = summary.Validation?.Loss,
            ["validationBitsPerByte"] = summary.Validation?.BitsPerByte,
            ["validationStep"] = summary.Validation is null ? null : summary.ValidationStep,
            ["fullValidationLoss"] = summary.FullValidation?.Loss,
            ["fullValidationBitsPerByte"] = summary.FullValidation?.BitsPerByte,
            ["tokensPerSecond"] = summary.TokensPerSecond,
            ["peakRssBytes"] = ResidentMemory.Peak(),
            ["seconds"] = summary.Seconds,
            ["run"] = session.RunPath,
            [RunResult.EndKey] = RunResult.Word(summary.End),
        };
        Add(figures, "validation", summary.Validation);
        Add(figures, "fullValidation", summary.FullValidation);
        for (int i = 0; i < summary.Terms.Count; i++)
        {
            (string key, double term) = summary.Terms[i];
            figures[key] = term;
        }

        return figures;
    }

    /// <summary>
    /// What <see cref="RunResult.FileName"/> holds: the same, the speed and the seconds of all starts of the run together, and on what it was computed: <c>device</c>
    /// (<c>cpu</c> or a GPU's name), <c>threads</c> and <c>instructionSet</c> (of the CPU); what measuring took of this start (<c>geometry</c>).
    /// </summary>
    internal static JsonObject ForFile(TrainSession session, TrainSummary summary)
    {
        JsonObject figures = Of(session, summary);
        if (session.State.Seconds > 0)
        {
            figures["tokensPerSecond"] = session.TokensAt(summary.Steps) / session.State.Seconds;
        }

        figures["seconds"] = session.ElapsedSeconds;
        Backend backend = session.Model.Backend;
        figures["device"] = backend is CpuBackend ? "cpu" : backend.Name;
        figures["threads"] = backend is CpuBackend { Context.Workers.Count: var threads } ? threads : null;
        figures["instructionSet"] = backend is CpuBackend { Context.Isa: var isa } ? isa.Name() : null;
        if (session.Geometry?.Costs is { Count: > 0 } costs)
        {
            figures["geometry"] = new JsonObject
            {
                ["seconds"] = costs.Sum(cost => cost.Seconds),
                ["share"] = costs.Sum(cost => cost.Seconds) / summary.Seconds,
                ["costs"] = new JsonArray([.. costs.Select(cost => (JsonNode)new JsonObject { ["measure"] = cost.Measure, ["seconds"] = cost.Seconds, ["times"] = cost.Times })]),
            };
        }

        return figures;
    }

    // What the task scores besides.
    private static void Add(JsonObject figures, string prefix, Evaluation? evaluation)
    {
        foreach (Score score in evaluation?.Scores ?? [])
        {
            figures[score.After(prefix)] = score.Value;
        }
    }
}
