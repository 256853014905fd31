using System.Text.Json.Nodes;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Experiments;

/// <summary>Runs that compute nothing: each ends at once as a test says, or waits until it is stopped.</summary>
internal sealed class FakeRuns : IRunStarter
{
    private readonly Lock _gate = new();

    public bool HasProcesses { get; init; } = true;

    /// <summary>What becomes of a run, by its name: a loss, a fault, or null for one that waits until it is stopped.</summary>
    public required Func<string, object?> Becomes { get; init; }

    /// <summary>Orders in their order.</summary>
    public List<RunOrder> Orders { get; } = [];

    public IEnumerable<string> Names => Orders.Select(order => Path.GetFileName(order.Folder));

    /// <summary>Most runs that went on at the same time.</summary>
    public int MostAtOnce { get; private set; }

    private int _now;

    public IRunningRun Start(RunOrder order, Action<RunReport> report)
    {
        lock (_gate)
        {
            Orders.Add(order);
            MostAtOnce = Math.Max(MostAtOnce, ++_now);
        }

        var run = new Running();
        ThreadPool.QueueUserWorkItem(_ =>
        {
            report(new RunReport { Step = 1, Steps = 4, TrainLoss = 3, TokensPerSecond = 1000, SecondsLeft = 3 });
            RunReport last = End(order.Folder, Becomes(Path.GetFileName(order.Folder)), run.Stopped);
            lock (_gate)
            {
                _now--;
            }

            report(last);
        });
        return run;
    }

    public static void Write(string folder, TrainEnd end, double? loss, long steps = 4)
    {
        Directory.CreateDirectory(folder);
        new RunResult(new JsonObject { ["steps"] = steps, ["validationLoss"] = loss, ["seconds"] = 2.0, ["tokensPerSecond"] = 500, ["end"] = RunResult.Word(end) }).Write(folder);
    }

    private static RunReport End(string folder, object? becomes, ManualResetEventSlim stopped)
    {
        switch (becomes)
        {
            case double loss:
                Write(folder, TrainEnd.Finished, loss);
                break;
            case TrainEnd end:
                Write(folder, end, loss: null);
                break;
            case string fault:
                return new RunReport { Outcome = RunOutcome.Failed, Note = fault, Output = ["one", "two"] };
            case RunOutcome outcome:
                return new RunReport { Outcome = outcome };
            default:
                Assert.That(stopped.Wait(TimeSpan.FromSeconds(20)), "it is asked to stop");
                Write(folder, TrainEnd.Interrupted, loss: null, steps: 2);
                break;
        }

        return new RunReport { Outcome = RunOutcome.Ended };
    }

    private sealed class Running : IRunningRun
    {
        public ManualResetEventSlim Stopped { get; } = new();

        public void Stop() => Stopped.Set();

        public void Dispose()
        {
        }
    }
}

/// <summary>Notes what it is told.</summary>
internal sealed class RunSetRecorder : IRunSetObserver
{
    public List<RunStatus> Ends { get; } = [];

    public RunSetStatus? Last { get; private set; }

    public Action<RunSetStatus>? OnProgress { get; init; }

    public void Ended(RunStatus run) => Ends.Add(run);

    public void Progressed(RunSetStatus status)
    {
        Last = status;
        OnProgress?.Invoke(status);
    }
}
