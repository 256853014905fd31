using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu.Pool;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Cpu;

/// <summary>
/// The one pool of threads. Each begins with a share of the items, the same for runs of the same size, and then helps others; a run ends when its
/// items are done, whether or not every thread came: one that lost its core holds up nobody. Waiting workers look, then give way, then park; whoever works
/// wakes one more as long as items are left, so that a short run wakes few. No more work at once than there are processors. Running allocates nothing.
/// </summary>
public sealed unsafe class Workers : IDisposable
{
    [ThreadStatic]
    private static bool s_working;

    private readonly Thread[] _threads;
    private readonly Parking _parking;
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _left = new(false);
    private readonly int _atOnce;

    // Aligned by hand: the collector may lay objects side by side.
    private readonly RunLine* _run;
    private readonly WorkerLine* _lines;
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
        _run = (RunLine*)Lines(RunLine.Bytes);
        _lines = (WorkerLine*)Lines(threads * sizeof(WorkerLine));
        _parking = new Parking(threads);
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

        if (threads > 1)
        {
            // The event makes its lock when it is first waited for, which a run must not do: it allocates nothing.
            _left.Wait(1);
        }
    }

    public int Count { get; }

    /// <summary>Told what each thread did in each run on several threads, or null. To be changed only while nothing runs.</summary>
    public IWorkObserver? Observer { get; set; }

    /// <summary>Told how long each item took where one thread works, or null. To be changed only while nothing runs.</summary>
    public ItemLog? Items { get; set; }

    /// <summary>Runs items 0 … count − 1 and returns when all are done. The first exception of an item ends the run and is thrown here.</summary>
    /// <exception cref="InvalidOperationException">Called from within a work item.</exception>
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
            _workType = typeof(TWork);
            _run->Invoke = &Call<TWork>;
            // The caller's frame outlives the run, so its struct may be seen by address.
            _run->Work = Unsafe.AsPointer(ref work);
            _run->Items = count;
            _run->Failed = 0;
            if (Shares.BeginsAgain(++_runs))
            {
                ClearShares();
            }

            IWorkObserver? observer = Observer;
            long opened = observer is null ? 0 : Stopwatch.GetTimestamp();
            RunState state = RunState.Opened(_runs, (int)Math.Min(count, _atOnce));
            Interlocked.Exchange(ref _run->State, state.Word);
            Drain(0, state);
            // No worker joins from here on; those inside finish the items they hold.
            Interlocked.Exchange(ref _run->State, state.Closed().Word);
            for (int worker = 1; worker < state.Workers; worker++)
            {
                AwaitLeaving(worker, state.Run);
            }

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

    public void Dispose()
    {
        _stopping = true;
        _parking.WakeAll();
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        _parking.Dispose();
        _left.Dispose();
        NativeMemory.AlignedFree(_run);
        NativeMemory.AlignedFree(_lines);
    }

    private static void Call<TWork>(void* work, long item, int worker)
        where TWork : struct, IWork
        => Unsafe.AsRef<TWork>(work).Invoke(item, worker);

    private static void* Lines(int bytes)
    {
        void* lines = NativeMemory.AlignedAlloc((nuint)bytes, RunLine.Bytes);
        NativeMemory.Clear(lines, (nuint)bytes);
        return lines;
    }

    private void ClearShares()
    {
        for (int worker = 0; worker < Count; worker++)
        {
            _lines[worker].Begun = 0;
        }
    }

    private void AwaitLeaving(int worker, long run)
    {
        ref long inside = ref _lines[worker].Inside;
        var wait = new Wait();
        while (Volatile.Read(ref inside) == run)
        {
            if (!wait.Again())
            {
                // It rings when it sees this, or it left before.
                Interlocked.Exchange(ref _run->Awaited, worker);
                while (Volatile.Read(ref inside) == run)
                {
                    _left.Wait();
                    _left.Reset();
                }

                _run->Awaited = 0;
                return;
            }
        }
    }

    private void Drain(int worker, RunState state)
    {
        s_working = true;
        var shares = new Shares(_lines, state.Run, _run->Items, state.Workers, worker);
        IWorkObserver? observer = Observer;
        long started = observer is null ? 0 : Stopwatch.GetTimestamp(), done = 0;
        try
        {
            while (Volatile.Read(ref _run->Failed) == 0 && shares.Next() is >= 0 and var item)
            {
                if (_parking.Lowest(state.Workers) is > 0 and var parked && (shares.HasMore || shares.HasLeft(parked)))
                {
                    _parking.Wake(parked);
                }

                _run->Invoke(_run->Work, item, worker);
                done++;
            }

            observer?.Ran(worker, _workType!, started, done);
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, e, null);
            Volatile.Write(ref _run->Failed, 1);
        }
        finally
        {
            s_working = false;
        }
    }

    private void Loop(int worker)
    {
        long last = 0;
        var wait = new Wait();
        while (!_stopping)
        {
            if (Join(worker, last) is { IsOpen: true } state)
            {
                Drain(worker, state);
                last = state.Run;
                Interlocked.Exchange(ref _lines[worker].Inside, 0);
                if (Volatile.Read(ref _run->Awaited) == worker)
                {
                    _left.Set();
                }

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

    /// <summary>Goes into an open run after number <paramref name="last"/> that has a share for the worker; closed where there is none.</summary>
    private RunState Join(int worker, long last)
    {
        var state = new RunState(Volatile.Read(ref _run->State));
        if (!HasShare(state, worker, last))
        {
            return state.Closed();
        }

        // The caller closes the run and then looks who is inside: either it sees this worker there, or the worker sees that it is closed.
        Interlocked.Exchange(ref _lines[worker].Inside, state.Run);
        if (Volatile.Read(ref _run->State) == state.Word)
        {
            return state;
        }

        Interlocked.Exchange(ref _lines[worker].Inside, 0);
        if (Volatile.Read(ref _run->Awaited) == worker)
        {
            _left.Set();
        }

        return state.Closed();
    }

    private static bool HasShare(RunState state, int worker, long last) => state.IsOpen && state.Run != last && worker < state.Workers;

    private void Park(int worker, long last)
    {
        _parking.Announce(worker);
        // A run that opened before that wakes nobody: look again.
        if ((_stopping || HasShare(new RunState(Volatile.Read(ref _run->State)), worker, last)) && _parking.TakeBack(worker))
        {
            return;
        }

        _parking.Sleep(worker);
    }
}
