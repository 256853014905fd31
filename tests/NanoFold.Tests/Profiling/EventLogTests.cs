using NanoFold.Kernels.Profiling;

namespace NanoFold.Tests.Profiling;

public class EventLogTests
{
    [Test]
    public void EventsKnowWhatTheyLieIn()
    {
        var log = new EventLog(8) { IsOn = true };
        log.Begin(EventKind.Step, "step");
        log.Begin(EventKind.Op, "a");
        log.Begin(EventKind.Kernel, "k", new KernelCost(3, 5));
        log.End();
        log.End();
        log.Begin(EventKind.Op, "b");
        log.End();
        log.End();

        ProfileEvent[] events = log.Events.ToArray();
        Assert.That(events.Select(e => e.Source), Is.EqualTo(new[] { "step", "a", "k", "b" }));
        Assert.That(events.Select(e => e.Parent), Is.EqualTo(new[] { -1, 0, 1, 0 }));
        Assert.That(events[2].Cost, Is.EqualTo(new KernelCost(3, 5)));
        Assert.That(events.All(e => e.Started <= e.Ended));
    }

    [Test]
    public void NothingIsNotedWhileItIsOff()
    {
        var log = new EventLog(8);
        log.Begin(EventKind.Op, "a");
        log.End();

        Assert.That((log.Events.Length, log.Dropped), Is.EqualTo((0, 0)));
    }

    [Test]
    public void WhatHasNoRoomIsCountedAndHasRoomNextTime()
    {
        var log = new EventLog(2) { IsOn = true };
        Note(log, 5);
        Assert.That((log.Events.Length, log.Dropped), Is.EqualTo((2, 3)));

        Assert.That(log.Reserve(), Is.False);
        Note(log, 5);
        Assert.That((log.Events.Length, log.Dropped), Is.EqualTo((5, 0)));
        Assert.That(log.Reserve(), Is.True);
    }

    [Test]
    public void RunsOfWorkersToo()
    {
        var log = new WorkLog(2, 1);
        for (int i = 0; i < 3; i++)
        {
            log.Ran(1, typeof(int), started: 0, items: i);
            log.Closed(typeof(int), items: i, opened: 0);
        }

        Assert.That((log.Events(0).Length, log.Events(1).Length, log.Runs.Length), Is.EqualTo((0, 1, 1)));
        Assert.That(log.Reserve(), Is.False);
        log.Ran(1, typeof(int), started: 0, items: 7);
        log.Ran(1, typeof(int), started: 0, items: 8);
        log.Closed(typeof(int), items: 7, opened: 0);
        log.Closed(typeof(int), items: 8, opened: 0);
        Assert.That(log.Events(1).ToArray().Select(run => run.Items), Is.EqualTo(new[] { 7, 8 }));
        Assert.That(log.Runs.ToArray().Select(run => run.Items), Is.EqualTo(new[] { 7, 8 }));
    }

    private static void Note(EventLog log, int count)
    {
        for (int i = 0; i < count; i++)
        {
            log.Begin(EventKind.Op, "a");
        }

        for (int i = 0; i < count; i++)
        {
            log.End();
        }
    }
}
