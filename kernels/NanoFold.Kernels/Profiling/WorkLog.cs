using System.Diagnostics;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Kernels.Profiling;

/// <summary>
/// Notes the runs of every thread of a worker pool, in memory reserved beforehand; to be read and cleared between runs only.
/// Runs beyond what is reserved are only counted.
/// </summary>
public sealed class WorkLog : IWorkObserver
{
    // One line of cache each: the threads count at the same time.
    private const int CountStride = 16;

    private readonly WorkEvent[][] _events;
    private WorkEvent[] _runs;
    private int _runCount;
    private readonly int[] _counts;

    /// <param name="workers">Threads of the pool.</param>
    /// <param name="capacity">Runs of each to reserve room for.</param>
    public WorkLog(int workers, int capacity)
    {
        _events = [.. Enumerable.Range(0, workers).Select(_ => new WorkEvent[capacity])];
        _runs = new WorkEvent[capacity];
        _counts = new int[(workers + 1) * CountStride];
    }

    public int Workers => _events.Length;

    /// <summary>Whole runs, by the thread that started them; in their order, so that one ends before the next begins.</summary>
    public ReadOnlySpan<WorkEvent> Runs => _runs.AsSpan(0, Math.Min(_runCount, _runs.Length));

    public void Clear()
    {
        Array.Clear(_counts);
        _runCount = 0;
    }

    /// <summary>Makes room for twice as many as came since it was cleared, where some had none, and clears it.</summary>
    /// <returns>Whether there was room for all.</returns>
    public bool Reserve()
    {
        bool had = true;
        for (int i = 0; i < _events.Length; i++)
        {
            if (Count(i) > _events[i].Length)
            {
                _events[i] = new WorkEvent[2 * Count(i)];
                had = false;
            }
        }

        if (_runCount > _runs.Length)
        {
            _runs = new WorkEvent[2 * _runCount];
            had = false;
        }

        Clear();
        return had;
    }

    /// <summary>In the order in which they ended.</summary>
    public ReadOnlySpan<WorkEvent> Events(int worker) => _events[worker].AsSpan(0, Math.Min(Count(worker), _events[worker].Length));

    public void Ran(int worker, Type work, long started, long items)
    {
        ref int count = ref Count(worker);
        WorkEvent[] events = _events[worker];
        if (count < events.Length)
        {
            events[count] = new WorkEvent(work, started, Stopwatch.GetTimestamp(), items);
        }

        count++;
    }

    public void Closed(Type work, long items, long opened)
    {
        if (_runCount < _runs.Length)
        {
            _runs[_runCount] = new WorkEvent(work, opened, Stopwatch.GetTimestamp(), items);
        }

        _runCount++;
    }

    private ref int Count(int worker) => ref _counts[(worker + 1) * CountStride];
}

/// <summary>What one thread, or all together, did in one run of the worker pool.</summary>
/// <param name="Work">Type of the work items.</param>
/// <param name="Started">In ticks of <see cref="System.Diagnostics.Stopwatch"/>.</param>
/// <param name="Ended">In ticks of <see cref="System.Diagnostics.Stopwatch"/>.</param>
/// <param name="Items">Items that were done.</param>
public readonly record struct WorkEvent(Type Work, long Started, long Ended, long Items);
