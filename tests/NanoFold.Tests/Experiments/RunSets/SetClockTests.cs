using NanoFold.Engine.Experiments;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Experiments;

/// <summary>The time that is left of a set, by what its runs took.</summary>
public class SetClockTests
{
    [Test]
    public void NothingIsKnownBeforeARunHasTakenTime()
        => Assert.That(SetClock.Left([Entry(RunState.Waiting, "a", 100)], 1, new RunSetOptions("")), Is.Null);

    [Test]
    public void RunsOfTheSameKindTakeAsLongForATokenAndOthersForAFlop()
    {
        RunEntry[] entries = [Entry(RunState.Over, "a", 100, seconds: 8), Entry(RunState.Waiting, "a", 150), Entry(RunState.Waiting, "b", 100, flopsPerToken: 30)];
        Assert.That(SetClock.Left(entries, 3, new RunSetOptions("")), Is.EqualTo(12.0 + 24));
        Assert.That(SetClock.Left(entries, 3, new RunSetOptions("") { Jobs = 2 }), Is.EqualTo(18.0));
        Assert.That(SetClock.Left([.. entries, Entry(RunState.Waiting, "c", 0)], 4, new RunSetOptions("")), Is.EqualTo(12.0 + 24 + 8), "of one that nothing is known of the mean");
    }

    [Test]
    public void WhatIsDoneOfARunIsNotLeft()
    {
        RunEntry over = Entry(RunState.Over, "a", 100, seconds: 8), stopped = Entry(RunState.Stopped, "a", 100), running = Entry(RunState.Running, "a", 100);
        stopped.Status = stopped.Status with { Step = 3, Steps = 4 };
        running.Status = running.Status with { Step = 1, Steps = 4 };
        Assert.That(SetClock.Left([over, stopped, running, Entry(RunState.Failed, "a", 100)], 4, new RunSetOptions("") { Jobs = 8 }), Is.EqualTo(6.0), "the longest of those that go on");
        running.Status = running.Status with { SecondsLeft = 1 };
        Assert.That(SetClock.Left([over, stopped, running], 3, new RunSetOptions("")), Is.EqualTo((0.25 * (8.0 + 1) / 2) + 1), "what goes on says itself how long it takes");
    }

    [Test]
    public void RunsThatAreNotKnownYetAreLikeTheOthersAndShardsHaveTheirShareOfThem()
    {
        RunEntry[] entries = [Entry(RunState.Over, "a", 100, seconds: 8), Entry(RunState.Waiting, "a", 200), Entry(RunState.OtherShard, "a", 1000)];
        Assert.That(SetClock.Left(entries, 5, new RunSetOptions("")), Is.EqualTo(16.0 + (2 * 12)));
        Assert.That(SetClock.Left(entries, 5, new RunSetOptions("") { Shard = new Shard(1, 2) }), Is.EqualTo(16.0 + 12));
    }

    private static RunEntry Entry(RunState state, string key, double tokens, double? seconds = null, double flopsPerToken = 10)
    {
        var entry = new RunEntry(new PlannedRun(key, key, new RunConfig()), "") { Work = new RunWork(key, 4, tokens, tokens * flopsPerToken, null) };
        entry.Status = entry.Status with { State = state, Result = seconds is null ? null : new RunResult(new() { ["seconds"] = seconds }) };
        return entry;
    }
}
