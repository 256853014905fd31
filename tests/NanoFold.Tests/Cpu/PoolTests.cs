using NanoFold.Kernels.Cpu.Pool;

namespace NanoFold.Tests.Cpu;

public unsafe class PoolTests
{
    [Test]
    public void AWorkerBeginsWithItsShareAndThenHelpsTheNext()
    {
        var lines = stackalloc WorkerLine[3];
        var shares = new Shares(lines, run: 1, items: 10, workers: 3, worker: 1);

        // Shares of 4, 3 and 3.
        Assert.That(All(ref shares), Is.EqualTo(new long[] { 4, 5, 6, 7, 8, 9, 0, 1, 2, 3 }));
    }

    [Test]
    public void EveryItemIsBegunOnceWhoeverComes([Values(1, 2, 3, 5)] int workers, [Values(1, 2, 5, 16, 17)] int items)
    {
        var lines = stackalloc WorkerLine[workers];
        // Counts of earlier runs stand there and count for nothing.
        for (int run = 1; run < 4; run++)
        {
            var first = new Shares(lines, run, items, workers, worker: 0);
            var last = new Shares(lines, run, items, workers, worker: workers - 1);
            List<long> begun = [];
            for (int i = 0; i < items; i++)
            {
                begun.Add(i % 3 == 0 ? last.Next() : first.Next());
            }

            Assert.That(begun.Order(), Is.EqualTo(Enumerable.Range(0, items)));
            Assert.That((first.Next(), last.Next()), Is.EqualTo((-1L, -1L)));
        }
    }

    [Test]
    public void WhatIsLeftOfAShareIsSeen()
    {
        var lines = stackalloc WorkerLine[2];
        var shares = new Shares(lines, run: 7, items: 3, workers: 2, worker: 0);
        Assert.That((shares.HasMore, shares.HasLeft(0), shares.HasLeft(1)), Is.EqualTo((true, true, true)));
        shares.Next();
        shares.Next();
        Assert.That((shares.HasMore, shares.HasLeft(0), shares.HasLeft(1)), Is.EqualTo((false, false, true)));
        Assert.That(shares.Next(), Is.EqualTo(2));
        Assert.That(shares.HasLeft(1), Is.False);
    }

    [Test]
    public void CountsAreClearedBeforeNumbersOfRunsComeAgain()
    {
        long again = Enumerable.Range(20, 44).Select(bit => 1L << bit).First(Shares.BeginsAgain);
        Assert.That(Shares.BeginsAgain(again - 1), Is.False);

        var lines = stackalloc WorkerLine[1];
        var before = new Shares(lines, again - 1, items: 2, workers: 1, worker: 0);
        Assert.That(All(ref before), Has.Length.EqualTo(2));
        lines[0] = default;
        var after = new Shares(lines, again, items: 2, workers: 1, worker: 0);
        Assert.That(All(ref after), Has.Length.EqualTo(2));
    }

    [Test]
    public void StatesKeepTheirParts()
    {
        RunState state = RunState.Opened(run: (1L << 40) + 5, workers: RunState.MostWorkers);
        Assert.That((state.Run, state.Workers, state.IsOpen), Is.EqualTo(((1L << 40) + 5, RunState.MostWorkers, true)));
        Assert.That((state.Closed().Run, state.Closed().Workers, state.Closed().IsOpen), Is.EqualTo(((1L << 40) + 5, RunState.MostWorkers, false)));
    }

    [Test]
    public void TheLowestThatSleepsIsWoken()
    {
        using var parking = new Parking(130);
        Assert.That(parking.Lowest(130), Is.EqualTo(-1));
        parking.Announce(129);
        parking.Announce(70);
        Assert.That((parking.Lowest(70), parking.Lowest(71), parking.Lowest(130)), Is.EqualTo((-1, 70, 70)));
        Assert.That((parking.TakeBack(70), parking.TakeBack(70), parking.Lowest(130)), Is.EqualTo((true, false, 129)));

        // Woken before it sleeps, it does not.
        parking.Wake(129);
        Assert.That(parking.TakeBack(129), Is.False);
        parking.Sleep(129);
    }

    private static long[] All(ref Shares shares)
    {
        List<long> items = [];
        while (shares.Next() is >= 0 and var item)
        {
            items.Add(item);
        }

        return [.. items];
    }
}
