using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>What a checkpoint remembers besides parameters and moments. Batches and dropout follow from seed and step.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="Steps">Steps planned; a time budget may have set them.</param>
/// <param name="Seconds">Time spent training.</param>
/// <param name="BestLoss">Lowest validation loss of a checkpoint so far, of tasks with labels the lowest share that was missed (<see cref="Evaluation.Shortfall"/>); or null.</param>
/// <param name="LastEvaluation">The last evaluation, on the windows that every evaluation of the run takes, or null.</param>
/// <param name="ContentHash">Of the text trained on.</param>
public sealed record TrainState(long Step, int Steps, double Seconds, double? BestLoss, Evaluation? LastEvaluation, string ContentHash)
{
    public const string FileName = "state.json";

    /// <summary>The version that is written; newer ones are refused. Version 1 has no hashes.</summary>
    public const int CurrentVersion = 2;

    /// <summary>Layout of the file.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The factor on the loss's gradient; other than 1 in half precision only.</summary>
    public double LossScale { get; init; } = 1;

    /// <summary>Steps in a row that were not skipped, since the factor last changed.</summary>
    public long GoodSteps { get; init; }

    /// <summary>The evaluation at the end of the run on all of the validation text, or null.</summary>
    public Evaluation? FullEvaluation { get; init; }

    /// <summary>Seconds of the clock on the wall up to here, all starts of the run together; null in files of older versions.</summary>
    public double? ElapsedSeconds { get; init; }

    /// <summary>With a time budget, the plans that were fitted to it so far; from them follow the learning rates. Null without one.</summary>
    public IReadOnlyList<FittedPlan>? Plans { get; init; }

    /// <summary>The step of <see cref="LastEvaluation"/>, or after which there would have been one with a text for it; null in files of older versions.</summary>
    public long? EvaluatedStep { get; init; }

    /// <summary>The file, to be written into a checkpoint after the <paramref name="others"/>, whose lengths and hashes it keeps.</summary>
    public CheckpointFile ToFile(IReadOnlyList<FileSeal> others) => TrainStateFile.Of(this with { Version = CurrentVersion }, others);

    /// <summary>Reads the file of a checkpoint.</summary>
    /// <exception cref="UserException">It is missing, damaged, or of a newer version.</exception>
    public static TrainState Load(string folder) => TrainStateFile.Load(Path.Combine(folder, FileName)).State;

    /// <summary>Reads the file of a checkpoint and throws where another one is not what was written; those of version 1 cannot tell.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="names">The files that will be read; all that were written where none is named.</param>
    /// <exception cref="UserException">One is missing, damaged, or of a newer version.</exception>
    public static TrainState LoadSound(string folder, params string[] names)
    {
        string path = Path.Combine(folder, FileName);
        (TrainState state, IReadOnlyList<FileSeal>? seals) = TrainStateFile.Load(path);
        if (CheckpointFolder.TryParseName(Path.GetFileName(Path.GetFullPath(folder)), out long step) && step != state.Step)
        {
            throw new UserException($"{path}: is of step {state.Step}, not of this checkpoint");
        }

        if (seals is not null)
        {
            foreach (string name in names.Length > 0 ? names : seals.Select(seal => seal.Name))
            {
                FileSeal seal = seals.FirstOrDefault(seal => seal.Name == name)
                    ?? throw new UserException($"{path}: is damaged: it has no hash of {name}");
                seal.Require(folder);
            }
        }

        return state;
    }
}

/// <summary>
/// The plan of a run with a time budget, as it was fitted to the time that was left after a step. It is written down, so that a run that is taken up again has the
/// same learning rates.
/// </summary>
/// <param name="Step">Steps taken then.</param>
/// <param name="Steps">Steps that the run has in all.</param>
/// <param name="EvaluateEvery">Steps between evaluations from then on.</param>
public readonly record struct FittedPlan(long Step, int Steps, int EvaluateEvery);
