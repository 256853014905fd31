using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Experiments;

/// <summary>The tokens that a run is evaluated on: on the way, on all that is held back at the end where that is short beside its steps, and in detail.</summary>
internal static class EvaluatedTokens
{
    // Rows of one, two and four times the context, for models that read longer ones.
    private const int Lengths = 3;

    /// <summary>Tokens of all evaluations.</summary>
    /// <param name="config">Resolved.</param>
    /// <param name="held">Places that are held back, <see cref="LearningTask.Places"/>; null where that is not known, and then all of them at the end are not counted.</param>
    /// <param name="steps">Of the run; 0 where they are not known, and then nothing is counted.</param>
    public static double Of(RunConfig config, long? held, long steps)
    {
        if (steps == 0 || held == 0)
        {
            return 0;
        }

        TrainConfig train = config.Planned();
        int context = config.Model.Context;
        long all = held is { } places ? (places + context - 1) / context : long.MaxValue;
        long asked = train.EvaluationWindows ?? EvaluationShare.Windows(train, context), part = asked == 0 && held is not null ? all : Math.Min(asked, all);
        double onTheWay = (double)part * context * Math.Ceiling((double)steps / Math.Max(1, train.EvaluateEvery));
        double atTheEnd = part < all && EvaluationShare.TakesAll(all, config.Train, context, steps) ? (double)all * context : 0;
        return onTheWay + atTheEnd + (config.Train.DetailedEvaluation ? InDetail(config, held ?? long.MaxValue, steps * config.Train.Batch * config.Train.Accumulate * context) : 0);
    }

    // At least a batch of each length.
    private static double InDetail(RunConfig config, long held, long trained)
    {
        int context = config.Model.Context;
        int lengths = config.Model.Position == PositionKind.Learned || config.Task.WhyNotLonger(context) is not null ? 1 : Lengths;
        return (double)lengths * Math.Min(held, Math.Max(BatchShape.ToEvaluate(context).Places, DetailedEvaluator.PlacesOf(trained)));
    }
}
