using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Tests.Cpu;

public class WorkersTests
{
    [Test]
    public void EveryItemIsDoneOnce([Values(1, 2, 3, 7)] int threads, [Values(0, 1, 2, 5, 1000)] int count)
    {
        using var workers = new Workers(threads, atOnce: threads);
        var work = new CountItems { Done = new int[count], Workers = threads };
        for (int run = 0; run < 3; run++)
        {
            workers.Run(count, ref work);
        }

        Assert.That(work.Done, Is.All.EqualTo(3));
    }

    [Test]
    public void ManySmallRunsInARow([Values(2, 3, 7)] int threads)
    {
        using var workers = new Workers(threads, atOnce: threads);
        var work = new CountItems { Done = new int[5], Workers = threads };
        for (int run = 0; run < 20_000; run++)
        {
            workers.Run(5, ref work);
        }

        Assert.That(work.Done, Is.All.EqualTo(20_000));
    }

    [Test]
    public void ParkedWorkersComeBack()
    {
        using var workers = new Workers(3, atOnce: 3);
        var work = new CountItems { Done = new int[64], Workers = 3 };
        for (int run = 0; run < 20; run++)
        {
            workers.Run(64, ref work);
            Thread.Sleep(3);
        }

        Assert.That(work.Done, Is.All.EqualTo(20));
    }

    [Test]
    public void AnItemMayWaitForAnotherWorker()
    {
        // Both items must be under way at once, so a second thread takes part.
        using var workers = new Workers(2, atOnce: 2);
        using var barrier = new Barrier(2);
        var work = new Meet { Barrier = barrier };
        for (int run = 0; run < 50; run++)
        {
            workers.Run(2, ref work);
        }

        Assert.That(barrier.CurrentPhaseNumber, Is.EqualTo(50));
    }

    [Test]
    public void AllMayBeUnderWayAtOnce()
    {
        using var workers = new Workers(5, atOnce: 5);
        using var barrier = new Barrier(5);
        var work = new Meet { Barrier = barrier };
        for (int run = 0; run < 20; run++)
        {
            workers.Run(5, ref work);
            if (run % 5 == 0)
            {
                // Long enough for all to sleep: one that is woken wakes the next.
                Thread.Sleep(10);
            }
        }

        Assert.That(barrier.CurrentPhaseNumber, Is.EqualTo(20));
    }

    [TestCase(7, 2, 1000, 2)]
    [TestCase(7, 7, 3, 3)]
    [TestCase(2, 8, 1000, 2)]
    public void NoMoreTakePartThanThereAreProcessorsOrItems(int threads, int atOnce, int items, int most)
    {
        using var workers = new Workers(threads, atOnce);
        var work = new CountItems { Done = new int[items], Workers = most };
        for (int run = 0; run < 200; run++)
        {
            workers.Run(items, ref work);
        }

        Assert.That(work.Done, Is.All.EqualTo(200));
    }

    [Test]
    public void TheObserverIsToldOfWholeRunsAndOfEachThread()
    {
        using var workers = new Workers(3, atOnce: 3);
        var log = new WorkLog(3, 100);
        workers.Observer = log;
        var work = new CountItems { Done = new int[50], Workers = 3 };
        for (int run = 0; run < 10; run++)
        {
            workers.Run(50, ref work);
        }

        WorkEvent[] runs = log.Runs.ToArray();
        Assert.That(runs.Select(run => run.Items), Is.EqualTo(Enumerable.Repeat(50L, 10)));
        Assert.That(runs.Zip(runs.Skip(1)).All(pair => pair.First.Ended <= pair.Second.Started));
        Assert.That(Enumerable.Range(0, 3).Sum(worker => log.Events(worker).ToArray().Sum(part => part.Items)), Is.EqualTo(500));
    }

    [Test]
    public void EachItemOfOneThreadIsTimed()
    {
        using var workers = new Workers(1);
        var log = new ItemLog();
        workers.Items = log;
        var work = new CountItems { Done = new int[4], Workers = 1 };
        workers.Run(4, ref work);
        workers.Run(0, ref work);
        workers.RunAlone(2, ref work);

        Assert.That(
            Enumerable.Range(0, log.Runs).Select(run => (log.Work(run), log.IsShared(run), log.Ticks(run).Length)),
            Is.EqualTo(new[] { (typeof(CountItems), true, 4), (typeof(CountItems), false, 2) }));
        Assert.That(log.Ticks(0).ToArray(), Is.All.GreaterThanOrEqualTo(0));
        log.Clear();
        Assert.That(log.Runs, Is.Zero);
    }

    [Test]
    public void AnExceptionReachesTheCallerAndThePoolGoesOn([Values(1, 2, 7)] int threads)
    {
        using var workers = new Workers(threads, atOnce: threads);
        var failing = new FailAt { Item = 17 };
        for (int run = 0; run < 100; run++)
        {
            Assert.That(() => workers.Run(100, ref failing), Throws.ArgumentException.With.Message.EqualTo("item 17"));
        }

        var work = new CountItems { Done = new int[100], Workers = threads };
        workers.Run(100, ref work);
        Assert.That(work.Done, Is.All.EqualTo(1));
    }

    [Test]
    public void ARunInsideAnItemIsRefused()
    {
        using var workers = new Workers(2, atOnce: 2);
        var work = new Nested { Pool = workers };
        Assert.That(() => workers.Run(4, ref work), Throws.InvalidOperationException.With.Message.Contains("cannot start another run"));
    }

    [Test]
    public void RunsFromSeveralThreadsTakeTurns()
    {
        using var workers = new Workers(3, atOnce: 3);
        var done = new int[4][];
        var callers = Enumerable.Range(0, 4).Select(i => new Thread(() =>
        {
            var work = new CountItems { Done = done[i] = new int[50], Workers = 3 };
            for (int run = 0; run < 200; run++)
            {
                workers.Run(50, ref work);
            }
        })).ToArray();
        Array.ForEach(callers, c => c.Start());
        Array.ForEach(callers, c => c.Join());
        Assert.That(done.SelectMany(d => d), Is.All.EqualTo(200));
    }

    [Test]
    public void ThreadCountIsChecked()
        => Assert.That(() => new Workers(0), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("0 threads"));

    [Test]
    public void APoolThatWasDisposedRefusesRunsAndMayBeDisposedAgain()
    {
        var workers = new Workers(2, atOnce: 2);
        var work = new CountItems { Done = new int[4], Workers = 2 };
        workers.Run(4, ref work);
        workers.Dispose();
        workers.Dispose();
        Assert.That(() => workers.Run(4, ref work), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(work.Done, Is.All.EqualTo(1));
    }

    [Test]
    public void RunsAllocateNothing()
    {
        using var workers = new Workers(2, atOnce: 2);
        var work = new CountItems { Done = new int[100], Workers = 2 };
        workers.Run(100, ref work);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int run = 0; run < 100; run++)
        {
            workers.Run(100, ref work);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void WaitingForAThreadThatIsLateAllocatesNothing()
    {
        using var workers = new Workers(2, atOnce: 2);
        var work = new LateWorker { Begun = new int[1] };
        long before = GC.GetAllocatedBytesForCurrentThread();
        workers.Run(2, ref work);

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    /// <summary>The caller's item ends when the other thread has begun one, which takes longer than anyone spins.</summary>
    private struct LateWorker : IWork
    {
        public int[] Begun;

        public readonly void Invoke(long item, int worker)
        {
            if (worker > 0)
            {
                Volatile.Write(ref Begun[0], 1);
                Thread.Sleep(100);
                return;
            }

            while (Volatile.Read(ref Begun[0]) == 0)
            {
                Thread.Yield();
            }
        }
    }

    private struct CountItems : IWork
    {
        public int[] Done;
        public int Workers;

        public readonly void Invoke(long item, int worker)
        {
            if ((uint)worker >= (uint)Workers)
            {
                throw new ArgumentOutOfRangeException(nameof(worker));
            }

            Interlocked.Increment(ref Done[item]);
        }
    }

    private struct Meet : IWork
    {
        public Barrier Barrier;

        public readonly void Invoke(long item, int worker) => Barrier.SignalAndWait();
    }

    private struct FailAt : IWork
    {
        public long Item;

        public readonly void Invoke(long item, int worker)
        {
            if (item == Item)
            {
                throw new ArgumentException($"item {item}");
            }
        }
    }

    private struct Nested : IWork
    {
        public Workers Pool;

        public readonly void Invoke(long item, int worker)
        {
            var work = new FailAt { Item = -1 };
            Pool.Run(4, ref work);
        }
    }
}
