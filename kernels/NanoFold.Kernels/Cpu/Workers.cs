using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using NanoFold.Kernels.Cpu.Pool;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Cpu;

/// <summary>
/// The one pool of threads. Each begins with a share of the items, the same for runs of the same size, and then helps others; a run ends when its
/// items are done, whether or not every thread came: one that lost its core holds up nobody. Waiting workers look, then park; whoever works
/// wakes others as long as items are left, so that a short run wakes few. No more work at once than there are processors. Running allocates nothing.
/// </summary>
public sealed unsafe class Workers : IDisposable
{
    [ThreadStatic]
    private static bool s_working;

    private readonly Thread[] _threads;
    private readonly Parking _parking;
    private readonly Attendance _attendance;
    private readonly Lock _gate = new();
    private readonly int _atOnce;
    private long _runs;
    private Type? _workType;
    private Exception? _failure;
    private volatile bool _stopping;

    /// <param name="threads">Threads that work, the caller's included; at least 1.</param>
    public Workers(int threads)
        : this(threads, Math.Max(2, Environment.ProcessorCount))
    {
    }

    /// <param name="threads">Threads that work, the caller's included; at least 1.</param>
    /// <param name="atOnce">How many of them may take part in a run.</param>
    internal Workers(int threads, int atOnce)
    {
        if (threads is < 1 or > RunState.MostWorkers)
        {
            throw new ArgumentOutOfRangeException(nameof(threads), $"workers: {threads} threads, expected 1 to {RunState.MostWorkers}");
        }

        Count = threads;
        _atOnce = Math.Min(threads, atOnce);
        _parking = new Parking(threads);
        _attendance = new Attendance(threads);
        _threads = new Thread[threads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Loop(worker)) { IsBackground = true, Name = $"nanofold worker {worker}" };
        }

        foreach (Thread thread in _threads)
        {
            thread.Start();
        }
    }

    public int Count { get; }

    /// <summary>Told what each thread did in each run on several threads, or null. To be changed only while nothing runs.</summary>
    public IWorkObserver? Observer { get; set; }

    /// <summary>Told how long each item took where one thread works, or null. To be changed only while nothing runs.</summary>
    public ItemLog? Items { get; set; }

    /// <summary>Whether runs are, or are looked at as if they were, shared by several threads.</summary>
    internal bool SharesRuns => Count > 1 || Items is not null;

    /// <summary>Runs items 0 … count − 1 and returns when all are done. The first exception of an item ends the run and is thrown here.</summary>
    /// <exception cref="InvalidOperationException">Called from within a work item.</exception>
    /// <exception cref="ObjectDisposedException">The pool's threads have ended.</exception>
    public void Run<TWork>(long count, ref TWork work)
        where TWork : struct, IWork
    {
        if (_threads.Length == 0 || count <= 1)
        {
            RunAlone(count, ref work, isShared: true);
            return;
        }

        if (s_working)
        {
            throw new InvalidOperationException("workers: a work item cannot start another run");
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Shares.MostItems);
        lock (_gate)
        {
            // What threads are told lies in memory that is freed with the pool.
            ObjectDisposedException.ThrowIf(_stopping, this);
            IWorkObserver? observer = Observer;
            long opened = observer is null ? 0 : Stopwatch.GetTimestamp();
            _workType = typeof(TWork);
            RunLine* run = _attendance.Run;
            run->Invoke = &Call<TWork>;
            // The caller's frame outlives the run, so its struct may be seen by address.
            run->Work = Unsafe.AsPointer(ref work);
            run->Items = count;
            run->Failed = 0;
            RunState state = RunState.Opened(++_runs, (int)Math.Min(count, _atOnce));
            _attendance.Open(state);
            Drain(0, state);
            // No worker joins from here on; those inside finish the items they hold.
            _attendance.Close(state);
            observer?.Closed(_workType, count, opened);
            if (_failure is { } failure)
            {
                _failure = null;
                ExceptionDispatchInfo.Throw(failure);
            }
        }
    }

    /// <summary>Runs items 0 … count − 1 on the calling thread.</summary>
    /// <param name="count">How many.</param>
    /// <param name="work">What is done.</param>
    /// <param name="isShared">Whether more threads, were there any, would take part.</param>
    internal void RunAlone<TWork>(long count, ref TWork work, bool isShared = false)
        where TWork : struct, IWork
    {
        if (Items is { } log && count > 0)
        {
            log.Run(count, ref work, isShared);
            return;
        }

        for (long i = 0; i < count; i++)
        {
            work.Invoke(i, 0);
        }
    }

    /// <summary>Runs items 0 … count − 1 on the calling thread, with which the run that follows begins: with more threads they would be part of it.</summary>
    internal void RunFirst<TWork>(long count, ref TWork work)
        where TWork : struct, IWork
    {
        if (Items is { } log && count > 0)
        {
            log.Run(count, ref work, isShared: true, isPart: true);
            return;
        }

        RunAlone(count, ref work);
    }

    /// <summary>Ends the threads, after the run that is under way.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_stopping)
            {
                return;
            }

            _stopping = true;
        }

        _parking.WakeAll();
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        _parking.Dispose();
        _attendance.Dispose();
    }

    private static void Call<TWork>(void* work, long item, int worker)
        where TWork : struct, IWork
        => Unsafe.AsRef<TWork>(work).Invoke(item, worker);

    private void Drain(int worker, RunState state)
    {
        s_working = true;
        RunLine* run = _attendance.Run;
        Shares shares = _attendance.SharesOf(state, worker);
        IWorkObserver? observer = Observer;
        long started = observer is null ? 0 : Stopwatch.GetTimestamp(), done = 0;
        try
        {
            while (Volatile.Read(ref run->Failed) == 0 && shares.Next() is >= 0 and var item)
            {
                // Two at first: so all are awake after a few steps of waking, and none has to wake many.
                WakeMore(shares, state.Workers, done == 0 ? 2 : 1);
                run->Invoke(run->Work, item, worker);
                done++;
            }

            observer?.Ran(worker, _workType!, started, done);
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, e, null);
            Volatile.Write(ref run->Failed, 1);
        }
        finally
        {
            s_working = false;
        }
    }

    private void WakeMore(in Shares shares, int workers, int most)
    {
        for (int woken = 0; woken < most && _parking.Lowest(workers) is > 0 and var parked && (shares.HasMore || shares.HasLeft(parked)); woken++)
        {
            _parking.Wake(parked);
        }
    }

    private void Loop(int worker)
    {
        long last = 0;
        var wait = new Wait();
        while (!_stopping)
        {
            if (_attendance.Join(worker, last) is { IsOpen: true } state)
            {
                Drain(worker, state);
                last = state.Run;
                _attendance.Leave(worker);
                wait.Restart();
            }
            else if (!wait.Again())
            {
                long parked = Stopwatch.GetTimestamp();
                Park(worker, last);
                wait.Woken(Stopwatch.GetElapsedTime(parked));
            }
        }
    }

    private void Park(int worker, long last)
    {
        _parking.Announce(worker);
        // A run that opened before that wakes nobody: look again.
        if ((_stopping || _attendance.IsWanted(worker, last)) && _parking.TakeBack(worker))
        {
            return;
        }

        _parking.Sleep(worker);
    }
}
