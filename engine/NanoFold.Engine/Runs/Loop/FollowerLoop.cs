using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>Takes the steps that process 0 orders; it does not decide, evaluate, measure or write.</summary>
internal static class FollowerLoop
{
    public static TrainSummary Run(TrainSession session, CancellationToken stop)
    {
        long started = session.Clock.GetTimestamp(), step = session.State.Step;
        var clock = new StepClock(session.Clock);
        var losses = new RecentLosses();
        TrainEnd? end;
        while ((end = StepOrder.Take(session.Collective, stop)) is null)
        {
            clock.Start();
            StepResult result = session.Trainer.Step(step++);
            clock.Stop(result.Tokens);
            losses.Add(result);
        }

        session.Save(step, clock.StepSeconds);
        double seconds = session.Clock.GetElapsedTime(started).TotalSeconds;
        return new TrainSummary(end.Value, step, losses.Mean, null, clock.TokensPerSecond, seconds) { Terms = losses.Terms };
    }
}

/// <summary>Losses of the last steps that updated.</summary>
internal sealed class RecentLosses
{
    /// <summary>So many steps: single ones are noisy.</summary>
    public const int Most = 50;

    private readonly Queue<double> _losses = new();

    /// <summary>Of the steps; NaN before the first.</summary>
    public double Mean => _losses.DefaultIfEmpty(double.NaN).Average();

    /// <summary>What gradients were of besides the loss, in the last step.</summary>
    public LossTerms Terms { get; private set; }

    public void Add(in StepResult result)
    {
        if (!result.IsFinite)
        {
            return;
        }

        _losses.Enqueue(result.Loss);
        Terms = result.Terms;
        if (_losses.Count > Most)
        {
            _losses.Dequeue();
        }
    }
}
