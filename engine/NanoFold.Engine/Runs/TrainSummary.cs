using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>Why a run ended.</summary>
public enum TrainEnd
{
    /// <summary>All planned steps were taken.</summary>
    Finished,

    /// <summary>At <c>train.stopAfter</c>.</summary>
    StoppedAfter,

    /// <summary>The time budget was used up.</summary>
    OutOfTime,

    /// <summary>The user asked for it.</summary>
    Interrupted,

    /// <summary>An evaluation reached <c>train.until</c>.</summary>
    Reached,

    /// <summary>What was computed is not finite or beyond any perplexity, so the run cannot go on. <see cref="TrainLoop"/> throws then; a <see cref="RunResult"/> says it.</summary>
    Diverged,

    /// <summary>Its process ended before the run did. Only a <see cref="RunResult"/> that was written for it says so.</summary>
    Failed,
}

/// <summary>The result of a run.</summary>
/// <param name="End">Why it ended.</param>
/// <param name="Steps">Steps taken.</param>
/// <param name="TrainLoss">Mean loss of the last steps (up to 50), nats per token.</param>
/// <param name="Validation">The last evaluation, on the windows that every evaluation of the run takes, or null.</param>
/// <param name="TokensPerSecond">Training tokens over training time, evaluation not counted.</param>
/// <param name="Seconds">Wall time of this start.</param>
public sealed record TrainSummary(TrainEnd End, long Steps, double TrainLoss, Evaluation? Validation, double TokensPerSecond, double Seconds)
{
    /// <summary>The step of <see cref="Validation"/>; null where it is not known.</summary>
    public long? ValidationStep { get; init; }

    /// <summary>At the end of a run, the evaluation on all of the validation text; null before.</summary>
    public Evaluation? FullValidation { get; init; }

    /// <summary>What gradients were of besides the loss, in the last step.</summary>
    public LossTerms Terms { get; init; }
}
