using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace NanoFold.Kernels.Cpu;

/// <summary>
/// The one pool of threads. Items are claimed dynamically from an atomic counter, and a run ends when its items are done, whether or not
/// every thread came: one that lost its core holds up nobody. Waiting workers spin shortly, then park. Running allocates nothing.
/// </summary>
public sealed unsafe class Workers : IDisposable
{
    /// <summary>Looks at the state before a waiting thread parks: about a microsecond each, together longer than the gap between two kernels.</summary>
    private const int SpinIterations = 200;

    /// <summary>Bit 0 of the state: workers may join. Then 15 bits of workers inside, then the number of the run.</summary>
    private const long Open = 1;
    private const long OneWorker = 2;
    private const int GenerationShift = 16;
    private const int MaxThreads = 1 << 14;

    [ThreadStatic]
    private static bool s_working;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _parked;
    private readonly int _spins;
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _left = new(false);
    private delegate*<void*, long, int, void> _invoke;
    private void* _work;
    private Type? _workType;
    private long _next;
    private long _count;
    private long _state;
    private volatile bool _stopping;
    private Exception? _failure;

    /// <param name="threads">Threads that work, the caller's included; at least 1.</param>
    public Workers(int threads)
    {
        if (threads is < 1 or > MaxThreads)
        {
            throw new ArgumentOutOfRangeException(nameof(threads), $"workers: {threads} threads, expected 1 to {MaxThreads}");
        }

        Count = threads;
        // Spinning pays only where every thread has a core of its own.
        _spins = threads <= Environment.ProcessorCount ? SpinIterations : 0;
        _threads = new Thread[threads - 1];
        _wake = new SemaphoreSlim[threads - 1];
        _parked = new int[threads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int index = i;
            _wake[i] = new SemaphoreSlim(0);
            _threads[i] = new Thread(() => Loop(index)) { IsBackground = true, Name = $"nanofold worker {index + 1}" };
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

    /// <summary>Runs items 0 … count − 1 and returns when all are done. The first exception of an item ends the run and is thrown here.</summary>
    /// <exception cref="InvalidOperationException">Called from within a work item.</exception>
    public void Run<TWork>(long count, ref TWork work)
        where TWork : struct, IWork
    {
        if (_threads.Length == 0 || count <= 1)
        {
            for (long i = 0; i < count; i++)
            {
                work.Invoke(i, 0);
            }

            return;
        }

        if (s_working)
        {
            throw new InvalidOperationException("workers: a work item cannot start another run");
        }

        lock (_gate)
        {
            _invoke = &Call<TWork>;
            // The caller's frame outlives the run, so its struct may be seen by address.
            _work = Unsafe.AsPointer(ref work);
            _workType = typeof(TWork);
            _count = count;
            _next = 0;
            _failure = null;
            long generation = (_state >> GenerationShift) + 1;
            Interlocked.Exchange(ref _state, (generation << GenerationShift) | Open);
            Wake(count - 1);
            Drain(0);
            // No worker joins from here on; those inside finish the items they hold.
            if (Interlocked.And(ref _state, ~Open) - Open != generation << GenerationShift)
            {
                AwaitLeaving();
            }

            if (_failure is { } failure)
            {
                _failure = null;
                ExceptionDispatchInfo.Throw(failure);
            }
        }
    }

    public void Dispose()
    {
        _stopping = true;
        foreach (SemaphoreSlim wake in _wake)
        {
            wake.Release();
        }

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        foreach (SemaphoreSlim wake in _wake)
        {
            wake.Dispose();
        }

        _left.Dispose();
    }

    private static void Call<TWork>(void* work, long item, int worker)
        where TWork : struct, IWork
        => Unsafe.AsRef<TWork>(work).Invoke(item, worker);

    private void Wake(long wanted)
    {
        for (int i = 0; i < _parked.Length && i < wanted; i++)
        {
            if (Interlocked.Exchange(ref _parked[i], 0) == 1)
            {
                _wake[i].Release();
            }
        }
    }

    private void AwaitLeaving()
    {
        long closed = _state >> GenerationShift << GenerationShift;
        for (int i = 0; i < _spins; i++)
        {
            if (Volatile.Read(ref _state) == closed)
            {
                return;
            }

            Thread.SpinWait(20);
        }

        // The event may still be set by a worker of an earlier run; the state, read after each reset, decides.
        while (Volatile.Read(ref _state) != closed)
        {
            _left.Wait();
            _left.Reset();
        }
    }

    private void Drain(int worker)
    {
        s_working = true;
        IWorkObserver? observer = Observer;
        long started = observer is null ? 0 : Stopwatch.GetTimestamp(), done = 0;
        try
        {
            while (true)
            {
                long item = Interlocked.Increment(ref _next) - 1;
                if (item >= _count)
                {
                    observer?.Ran(worker, _workType!, started, done);
                    return;
                }

                _invoke(_work, item, worker);
                done++;
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, e, null);
            Volatile.Write(ref _next, _count);
        }
        finally
        {
            s_working = false;
        }
    }

    private void Loop(int index)
    {
        long seen = 0;
        while (Join(index, ref seen))
        {
            Drain(index + 1);
            long state = Interlocked.Add(ref _state, -OneWorker);
            if (state == seen << GenerationShift)
            {
                _left.Set();
            }
        }
    }

    /// <summary>Waits for a run after number <paramref name="seen"/> and goes in; false when the pool stops.</summary>
    private bool Join(int index, ref long seen)
    {
        int spins = 0;
        while (!_stopping)
        {
            long state = Volatile.Read(ref _state);
            if ((state & Open) != 0 && state >> GenerationShift != seen)
            {
                if (Interlocked.CompareExchange(ref _state, state + OneWorker, state) == state)
                {
                    seen = state >> GenerationShift;
                    return true;
                }
            }
            else if (++spins < _spins)
            {
                Thread.SpinWait(20);
            }
            else
            {
                Park(index, seen);
                spins = 0;
            }
        }

        return false;
    }

    private void Park(int index, long seen)
    {
        Interlocked.Exchange(ref _parked[index], 1);
        // A run that opened before the flag was up wakes nobody: look again.
        long state = Volatile.Read(ref _state);
        bool open = (state & Open) != 0 && state >> GenerationShift != seen;
        if ((open || _stopping) && Interlocked.Exchange(ref _parked[index], 0) == 1)
        {
            return;
        }

        _wake[index].Wait();
    }
}
