using System.Diagnostics;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Kernels.Profiling;

/// <summary>How long each item of each run took where one thread works: what other numbers of threads would make of it can be said from that.</summary>
public sealed class ItemLog
{
    private readonly List<(Type Work, int First, bool IsShared, bool IsPart)> _runs = [];
    private readonly List<long> _ticks = [];

    /// <summary>How many there are.</summary>
    public int Runs => _runs.Count;

    public void Clear()
    {
        _runs.Clear();
        _ticks.Clear();
    }

    /// <summary>Type of the work items of a run.</summary>
    public Type Work(int run) => _runs[run].Work;

    /// <summary>Whether more threads would take part in a run.</summary>
    public bool IsShared(int run) => _runs[run].IsShared;

    /// <summary>Whether more threads would do it as the beginning of the run that follows.</summary>
    public bool IsPart(int run) => _runs[run].IsPart;

    /// <summary>Of each item of a run, in ticks of <see cref="Stopwatch"/>.</summary>
    public ReadOnlySpan<long> Ticks(int run) => CollectionsMarshal.AsSpan(_ticks)[_runs[run].First..(run + 1 < _runs.Count ? _runs[run + 1].First : _ticks.Count)];

    /// <summary>Does the items, one after the other.</summary>
    internal void Run<TWork>(long count, ref TWork work, bool isShared, bool isPart = false)
        where TWork : struct, IWork
    {
        _runs.Add((typeof(TWork), _ticks.Count, isShared, isPart));
        long began = Stopwatch.GetTimestamp();
        for (long i = 0; i < count; i++)
        {
            work.Invoke(i, 0);
            long ended = Stopwatch.GetTimestamp();
            _ticks.Add(ended - began);
            began = ended;
        }
    }
}
