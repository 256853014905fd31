using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Training;

/// <summary>
/// Keeps evaluations short beside the steps of a run. It counts tokens, so that what is evaluated depends on the configuration and the step only: a token takes a third
/// of the time in an evaluation, for there is no backward pass.
/// </summary>
public static class EvaluationShare
{
    // A fifth of the time of the steps between two evaluations, and a quarter of all steps for the evaluation of all rows.
    private const double Curve = 3.0 / 5;
    private const double All = 3.0 / 4;

    private const int MostWindows = 256;

    /// <summary>The windows of an evaluation on the way where none are configured: whole batches, at least one, at most 256 windows.</summary>
    /// <param name="config">Its steps between evaluations and its batch known, else 256.</param>
    /// <param name="context">Tokens of a window.</param>
    public static int Windows(TrainConfig config, int context)
    {
        int rows = BatchShape.ToEvaluate(context).Rows;
        double worth = config.EvaluateEvery == 0 || config.Batch == 0 ? MostWindows : Curve * config.EvaluateEvery * config.Batch * config.Accumulate;
        return (int)Math.Min(MostWindows, Math.Max(1, Math.Floor(worth / rows)) * rows);
    }

    /// <summary>Whether all that is held back is evaluated at the end: where that is a single batch, or short beside the steps taken.</summary>
    /// <param name="all">Windows of the text, or rows of another task.</param>
    /// <param name="config">Of the run.</param>
    /// <param name="context">Tokens of a window.</param>
    /// <param name="steps">Steps taken.</param>
    public static bool TakesAll(long all, TrainConfig config, int context, long steps)
        => all <= BatchShape.ToEvaluate(context).Rows || all <= All * steps * config.Batch * config.Accumulate;
}
