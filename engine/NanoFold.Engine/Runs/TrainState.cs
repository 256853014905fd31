using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>What a checkpoint remembers besides parameters and moments. Batches and dropout follow from seed and step.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="Steps">Steps planned; a time budget may have set them.</param>
/// <param name="Seconds">Time spent training.</param>
/// <param name="BestLoss">Lowest validation loss of a checkpoint so far, or null.</param>
/// <param name="LastEvaluation">The last evaluation, or null.</param>
/// <param name="ContentHash">Of the text trained on.</param>
public sealed record TrainState(long Step, int Steps, double Seconds, double? BestLoss, Evaluation? LastEvaluation, string ContentHash)
{
    public const string FileName = "state.json";
    private const int CurrentVersion = 1;

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Converters = { FiniteJson.Converter } };

    /// <summary>Layout of the file; a newer one is refused.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The factor on the loss's gradient; other than 1 in half precision only.</summary>
    public double LossScale { get; init; } = 1;

    /// <summary>Steps in a row that were not skipped, since the factor last changed.</summary>
    public long GoodSteps { get; init; }

    /// <summary>The file, to be written into a checkpoint.</summary>
    public CheckpointFile ToFile() => new(FileName, stream => JsonSerializer.Serialize(stream, this, s_json));

    public static TrainState Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            using FileStream stream = File.OpenRead(path);
            TrainState? state = JsonSerializer.Deserialize<TrainState>(stream, s_json);
            return state switch
            {
                { Version: > CurrentVersion } => throw new UserException($"{path}: was written by a newer NanoFold; update to resume from it"),
                null or { Step: < 0 } or { ContentHash: null } => throw new UserException($"{path}: is damaged: it lacks step, steps or contentHash"),
                { LossScale: not (>= LossScaling.Least and <= LossScaling.Most) } => throw new UserException($"{path}: is damaged: lossScale is {state.LossScale}"),
                _ when state.Steps < Math.Max(1, state.Step) => throw new UserException($"{path}: is damaged: step {state.Step} of {state.Steps}"),
                _ => state,
            };
        }
        catch (JsonException e)
        {
            throw new UserException($"{path}: is damaged: it is not JSON with step, steps and contentHash", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }
}
