using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu;

/// <summary>
/// The one pool of threads. Items are claimed dynamically from an atomic counter, so a thread that lost its core does not
/// hold up the others; waiting workers spin shortly, then park. Running allocates nothing.
/// </summary>
public sealed unsafe class Workers : IDisposable
{
    private const int SpinIterations = 2000;

    private readonly Thread[] _threads;
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _finished = new(false, SpinIterations);
    private readonly SemaphoreSlim _wake = new(0);
    private delegate*<void*, long, int, void> _invoke;
    private void* _work;
    private long _next;
    private long _count;
    private int _parked;
    private int _generation;
    private int _busy;
    private volatile bool _stopping;
    private Exception? _failure;

    /// <param name="threads">Threads that work, the caller's included; at least 1.</param>
    public Workers(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Count = threads;
        _threads = new Thread[threads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Loop(worker)) { IsBackground = true, Name = $"nanofold worker {worker}" };
            _threads[i].Start();
        }
    }

    public int Count { get; }

    /// <summary>Runs items 0 … count − 1 and returns when all are done.</summary>
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

        lock (_gate)
        {
            _invoke = &Call<TWork>;
            // The caller's frame outlives the run, so its struct may be seen by address.
            _work = Unsafe.AsPointer(ref work);
            _count = count;
            _failure = null;
            Volatile.Write(ref _next, 0);
            _finished.Reset();
            Volatile.Write(ref _busy, _threads.Length);
            Interlocked.Increment(ref _generation);
            int parked = Volatile.Read(ref _parked);
            if (parked > 0)
            {
                _wake.Release(parked);
            }

            Drain(0);
            if (Volatile.Read(ref _busy) != 0)
            {
                _finished.Wait();
            }

            if (_failure is { } failure)
            {
                throw new InvalidOperationException(failure.Message, failure);
            }
        }
    }

    public void Dispose()
    {
        _stopping = true;
        Interlocked.Increment(ref _generation);
        _wake.Release(_threads.Length + 1);
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        _finished.Dispose();
        _wake.Dispose();
    }

    private static void Call<TWork>(void* work, long item, int worker)
        where TWork : struct, IWork
        => Unsafe.AsRef<TWork>(work).Invoke(item, worker);

    private void Drain(int worker)
    {
        try
        {
            while (true)
            {
                long item = Interlocked.Increment(ref _next) - 1;
                if (item >= _count)
                {
                    return;
                }

                _invoke(_work, item, worker);
            }
        }
        catch (Exception e)
        {
            _failure = e;
            Volatile.Write(ref _next, _count);
        }
    }

    private void Loop(int worker)
    {
        int seen = 0;
        while (true)
        {
            AwaitGeneration(seen);
            seen = Volatile.Read(ref _generation);
            if (_stopping)
            {
                return;
            }

            Drain(worker);
            if (Interlocked.Decrement(ref _busy) == 0)
            {
                _finished.Set();
            }
        }
    }

    private void AwaitGeneration(int seen)
    {
        for (int i = 0; i < SpinIterations; i++)
        {
            if (Volatile.Read(ref _generation) != seen)
            {
                return;
            }

            Thread.SpinWait(20);
        }

        Interlocked.Increment(ref _parked);
        while (Volatile.Read(ref _generation) == seen && !_stopping)
        {
            _wake.Wait();
        }

        Interlocked.Decrement(ref _parked);
    }
}
