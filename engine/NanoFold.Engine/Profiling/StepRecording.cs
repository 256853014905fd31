using System.Diagnostics;
using NanoFold.Engine.Autograd;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Profiling;

/// <summary>Everything noted of one training step.</summary>
/// <param name="Tape">The recorded pass, which knows what values are called.</param>
/// <param name="Events">Of the thread that drives it; the first is the step itself.</param>
/// <param name="Work">What each thread of the worker pool did, by worker; empty where only one thread works.</param>
/// <param name="Runs">Whole runs of the pool, one after the other.</param>
internal sealed record StepRecording(Tape Tape, ProfileEvent[] Events, WorkEvent[][] Work, WorkEvent[] Runs)
{
    public long Started => Events[0].Started;

    public double Seconds => SecondsOf(Events[0]);

    public static double SecondsOf(in ProfileEvent noted) => Stopwatch.GetElapsedTime(noted.Started, noted.Ended).TotalSeconds;

    /// <summary>Copies what the logs hold.</summary>
    public static StepRecording Of(Tape tape, EventLog log, WorkLog? work) => new(
        tape,
        log.Events.ToArray(),
        work is null ? [] : [.. Enumerable.Range(0, work.Workers).Select(worker => work.Events(worker).ToArray())],
        work is null ? [] : work.Runs.ToArray());

    /// <summary>What each event costs: a kernel by itself, an op, a part or the step by the kernels in it.</summary>
    public KernelCost[] Costs()
    {
        var costs = new KernelCost[Events.Length];
        for (int i = Events.Length - 1; i > 0; i--)
        {
            costs[i] += Events[i].Cost;
            costs[Events[i].Parent] += costs[i];
        }

        return costs;
    }
}
