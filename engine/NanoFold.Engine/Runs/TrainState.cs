using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Training;

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

    /// <summary>The version that is written; newer ones are refused. Version 1 has no <see cref="Files"/>.</summary>
    public const int CurrentVersion = 2;

    /// <summary>Layout of the file.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The factor on the loss's gradient; other than 1 in half precision only.</summary>
    public double LossScale { get; init; } = 1;

    /// <summary>Steps in a row that were not skipped, since the factor last changed.</summary>
    public long GoodSteps { get; init; }

    /// <summary>Length and hash of every other file of the checkpoint; null in those of version 1.</summary>
    public IReadOnlyList<FileSeal>? Files { get; init; }

    /// <summary>The file, to be written into a checkpoint after the <paramref name="others"/>.</summary>
    public CheckpointFile ToFile(IReadOnlyList<FileSeal> others) => TrainStateFile.Of(this with { Version = CurrentVersion, Files = others });

    /// <summary>Reads the file of a checkpoint.</summary>
    /// <exception cref="UserException">It is missing, damaged, or of a newer version.</exception>
    public static TrainState Load(string folder) => TrainStateFile.Load(Path.Combine(folder, FileName));

    /// <summary>Throws where a file of the checkpoint is not what was written; checkpoints of version 1 cannot tell.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="names">The files that will be read; all that were written where none is named.</param>
    /// <exception cref="UserException">One differs, or cannot be read.</exception>
    public void RequireFiles(string folder, params string[] names)
    {
        foreach (string name in names.Length > 0 ? names : [.. Files?.Select(file => file.Name) ?? []])
        {
            if (Files is not null)
            {
                FileSeal seal = Files.FirstOrDefault(file => file.Name == name)
                    ?? throw new UserException($"{Path.Combine(folder, FileName)}: is damaged: it has no hash of {name}");
                seal.Require(folder);
            }
        }
    }
}
