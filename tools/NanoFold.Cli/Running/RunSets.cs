using NanoFold.Cli.Writing;
using NanoFold.Engine;
using NanoFold.Engine.Experiments;

namespace NanoFold.Cli.Running;

/// <summary>Carries out a set of runs for a verb: this program is started again for each, signals save and stop all of them, and a table shows how they go.</summary>
internal static class RunSets
{
    /// <summary>Where runs are carried out; null for processes where this program can be started again, and otherwise this one. For tests.</summary>
    internal static IRunStarter? Starter { get; set; }

    /// <summary>The folder of a set, which it takes: the one that was asked for, or an unused one.</summary>
    /// <param name="named">Asked for, or null.</param>
    /// <param name="name">Of one that nobody asked for; a number may follow it.</param>
    /// <param name="set">What it is to hold.</param>
    /// <exception cref="UserException">It holds something else, or cannot be written.</exception>
    public static string Take(string? named, string name, SetFile set)
    {
        if (named is null)
        {
            return SetFolder.TakeUnused(name, set);
        }

        SetFolder.Take(named, set);
        return named;
    }

    /// <summary>The folder that a set would take (<see cref="Take"/>); nothing is written.</summary>
    /// <inheritdoc cref="Take"/>
    public static string Find(string? named, string name, SetFile set)
    {
        if (named is null)
        {
            return SetFolder.Unused(name, set);
        }

        SetFolder.Require(named, set);
        return named;
    }

    /// <summary>Carries it out, and says in a line or two what became of it.</summary>
    /// <param name="invocation">Of the verb.</param>
    /// <param name="plan">Which runs.</param>
    /// <param name="options">How.</param>
    public static RunSetSummary CarryOut(Invocation invocation, IRunPlan plan, RunSetOptions options)
    {
        IRunStarter starter = Starter ?? (ProgramStart.Again(typeof(Program).Assembly) is { } again ? new ProcessRuns(again) : new InProcessRuns(Open));
        options = options.Jobs is null ? options with { Jobs = DefaultJobs(options, plan) } : options;
        var set = new RunSet(plan, options, starter);
        using var unread = CancellationTokenSource.CreateLinkedTokenSource(invocation.Interrupt.Token);
        using IDisposable ending = LostOutput.Instead(unread.Cancel);
        var progress = new RunSetProgress(invocation.Output);
        invocation.Interrupt.Asked = progress.Asked;
        RunSetSummary summary = progress.Show(() => set.Run(progress, unread.Token));
        invocation.Interrupt.Asked = null;
        Conclude(invocation.Output, summary, options);
        return summary;
    }

    /// <summary>The exit code of a verb that carried out a set: 1 where a run failed here, 0 also where another shard's are missing.</summary>
    public static int ExitCode(Invocation invocation, RunSetSummary summary)
        => summary.End == RunSetEnd.Interrupted ? invocation.Interrupt.ExitCode ?? LostOutput.Last?.Code ?? Faults.Interrupted
            : summary.Failed.Any() ? Faults.Failed : Faults.Done;

    /// <summary>What carries out a run in the process that was started for it; see <see cref="RunChild"/>.</summary>
    public static int Child()
    {
        using var interrupt = new Interrupt();
        using var input = new StreamReader(Console.OpenStandardInput());
        using var output = new StreamWriter(Console.OpenStandardOutput());
        return RunChild.Run(input, output, Open, interrupt.Token);
    }

    private static Kernels.Backend Open(RunOrder order) => Devices.Open(order.Device, order.Threads);

    /// <summary>Runs at the same time where nobody says how many: on a GPU they would wait for each other.</summary>
    internal static int DefaultJobs(RunSetOptions options, IRunPlan plan) => Devices.KindOf(options.Device) == Devices.Cpu ? RunJobs.Fastest(plan, options) : 1;

    private static void Conclude(Output output, RunSetSummary summary, RunSetOptions options)
    {
        if (summary.Failed.ToArray() is { Length: > 0 } failed)
        {
            output.Note($"failed: {string.Join(", ", failed.Select(run => run.Run.Name))}; {Path.Combine(failed[0].Folder, Engine.Runs.RunResult.FileName)} says why{(failed.Length > 1 ? ", as in each of the other folders" : "")}");
        }

        output.Line($"{RunSetTable.Summary(summary.Status with { SecondsLeft = null })} in {Display.Clock(summary.Seconds)}");
        if (!summary.IsComplete)
        {
            output.Line(summary.End switch
            {
                RunSetEnd.Interrupted => "stopped; the same command goes on",
                RunSetEnd.OutOfTime => "the time is over; the same command goes on",
                _ when summary.Status.Count(RunState.Failed) > 0 => "the same command tries again what failed",
                _ when summary.Status.Count(RunState.Stopped) > 0 => "the same command goes on with what was stopped",
                _ when options.Shard is { } shard => $"shard {shard} is done; the other shards' runs are not all there yet",
                _ => "the other runs are carried out elsewhere; the same command goes on where they stopped",
            });
        }
    }
}
