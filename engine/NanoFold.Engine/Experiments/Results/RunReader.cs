using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>Reads what the runs of a comparison left in their folders.</summary>
/// <param name="folder">Of the comparison.</param>
internal sealed class RunReader(string folder)
{
    private const int TailBytes = 1 << 16;
    private const string Validation = "validation", FullValidation = "fullValidation", Step = "Step";

    private readonly Dictionary<string, CollectedRun> _read = [];

    /// <summary>What is there of a run, or that nothing is.</summary>
    /// <param name="run">Which.</param>
    /// <param name="learningRate">Of its settings, where no search gives it one.</param>
    public CollectedRun Read(ComparedRun run, double? learningRate)
    {
        if (!_read.TryGetValue(run.Name, out CollectedRun? found))
        {
            _read[run.Name] = found = ReadFolder(run, learningRate);
        }

        return found;
    }

    private CollectedRun ReadFolder(ComparedRun run, double? learningRate)
    {
        // As in files on every system.
        string name = $"{RunSet.RunsFolder}/{run.Name}", path = Path.Combine(folder, name);
        var begun = new CollectedRun
        {
            Run = name,
            Variant = run.Variant.Name,
            Seed = run.Seed,
            LearningRate = run.Point.LearningRate ?? learningRate,
            WeightDecay = run.Point.WeightDecay,
            State = File.Exists(Path.Combine(path, RunConfig.FileName)) ? CollectedState.Unfinished : CollectedState.Missing,
        };
        begun = WithProgress(begun, Path.Combine(path, RunFolder.MetricsFile));
        if (RunResult.Find(path) is not { } result)
        {
            return begun;
        }

        long steps = Math.Max(result.Steps, begun.Steps);
        CollectedRun ended = begun with
        {
            End = result.End is { } end ? RunResult.Word(end) : null,
            Fault = result.Problem,
            Steps = steps,
            Seconds = result.Figure("seconds") ?? begun.Seconds,
            TokensPerSecond = result.Figure("tokensPerSecond"),
            PeakBytes = (long?)result.Figure("peakRssBytes"),
            TrainLoss = result.Figure("trainLoss"),
            Validation = Scores(result, Validation),
            FullValidation = Scores(result, FullValidation),
            Device = Text(result, "device"),
            Threads = (int?)result.Figure("threads"),
            InstructionSet = Text(result, "instructionSet"),
        };
        return ended with { State = StateOf(result, ended) };
    }

    private static CollectedState StateOf(RunResult result, CollectedRun run) => result switch
    {
        { End: TrainEnd.Failed or TrainEnd.Diverged } => CollectedState.Failed,
        { IsDone: true } => CollectedState.Finished,
        _ => run.State == CollectedState.Missing ? CollectedState.Missing : CollectedState.Unfinished,
    };

    // validationLoss is the loss; validationStep is no score.
    private static Dictionary<string, double> Scores(RunResult result, string prefix)
        => result.Json.Select(pair => pair.Key)
            .Where(key => key.Length > prefix.Length && key.StartsWith(prefix, StringComparison.Ordinal) && char.IsAsciiLetterUpper(key[prefix.Length]) && key[prefix.Length..] != Step)
            .Select(key => (Name: $"{char.ToLowerInvariant(key[prefix.Length])}{key[(prefix.Length + 1)..]}", Value: result.Figure(key)))
            .Where(score => score.Value is not null)
            .ToDictionary(score => score.Name, score => score.Value!.Value);

    private static string? Text(RunResult result, string key) => result.Json[key] is { } node && node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;

    // Its last line says how far it is; a log may have a line for each of many steps.
    private static CollectedRun WithProgress(CollectedRun run, string path)
    {
        try
        {
            if (!File.Exists(path))
            {
                return run;
            }

            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            file.Position = Math.Max(0, file.Length - TailBytes);
            using var reader = new StreamReader(file);
            foreach (string line in reader.ReadToEnd().Split('\n').Reverse())
            {
                if (JsonLinesLog.ParseObject(line) is { } json && Number(json, "step") is { } step && Number(json, "tokens") is { } tokens)
                {
                    return run with { Steps = (long)step, Tokens = (long)tokens, Flops = Number(json, "flops") ?? 0, Seconds = Number(json, "elapsedSeconds") ?? 0 };
                }
            }

            return run;
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }

    private static double? Number(JsonElement line, string key) => line.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
