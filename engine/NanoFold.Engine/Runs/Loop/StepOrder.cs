using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>
/// What process 0 tells the others before each step, and at the end. It decides by itself, by its clock and its measurements; the others only do what it says, and say
/// whether they were asked to stop. With one process nothing is told.
/// </summary>
internal static class StepOrder
{
    private const long Step = -1;

    /// <summary>Process 0: all are to take a step; whether one of them was asked to stop after it.</summary>
    public static bool Give(ICollective collective, CancellationToken stop)
    {
        collective.Agree(Step);
        return collective.Any(stop.IsCancellationRequested);
    }

    /// <summary>Process 0: there is nothing more to do.</summary>
    public static void End(ICollective collective, TrainEnd end) => collective.Agree((long)end);

    /// <summary>Another process: waits until there is a step to take; null then, otherwise why there is none.</summary>
    public static TrainEnd? Take(ICollective collective, CancellationToken stop)
    {
        long order = collective.Agree(0L);
        if (order != Step)
        {
            return (TrainEnd)order;
        }

        collective.Any(stop.IsCancellationRequested);
        return null;
    }
}
