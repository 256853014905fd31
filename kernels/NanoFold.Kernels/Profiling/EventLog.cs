using System.Diagnostics;

namespace NanoFold.Kernels.Profiling;

/// <summary>
/// Nested stretches of time of one thread, in memory reserved beforehand: noting one takes two reads of the clock and allocates nothing.
/// Events beyond what is reserved are only counted.
/// </summary>
public sealed class EventLog
{
    private const int MaxDepth = 16;

    private readonly int[] _open = new int[MaxDepth];
    private ProfileEvent[] _events;
    private int _depth;
    private int _count;

    /// <param name="capacity">Events to reserve room for.</param>
    public EventLog(int capacity) => _events = new ProfileEvent[capacity];

    /// <summary>Whether anything is noted. To be changed only while nothing is open.</summary>
    public bool IsOn { get; set; }

    /// <summary>Gives the times in place of the host's clock; see <see cref="Resolve"/>. To be changed only while nothing is open.</summary>
    public DeviceClock? Clock { get; set; }

    /// <summary>Events that there was no room for.</summary>
    public int Dropped { get; private set; }

    /// <summary>In the order in which they began.</summary>
    public ReadOnlySpan<ProfileEvent> Events => _events.AsSpan(0, _count);

    /// <summary>Makes room for twice as many as came since it was cleared, where some had none, and clears it.</summary>
    /// <returns>Whether there was room for all.</returns>
    public bool Reserve()
    {
        bool had = Dropped == 0;
        if (!had)
        {
            _events = new ProfileEvent[2 * (_count + Dropped)];
        }

        Clear();
        return had;
    }

    public void Clear()
    {
        _count = 0;
        _depth = 0;
        Dropped = 0;
        Clock?.Clear();
    }

    /// <summary>Turns the marks of a device's clock into ticks; with the host's clock there is nothing to do.</summary>
    public void Resolve()
    {
        if (Clock is not { } clock)
        {
            return;
        }

        foreach (ref ProfileEvent noted in _events.AsSpan(0, _count))
        {
            noted.Started = (long)(clock.Seconds((int)noted.Started) * Stopwatch.Frequency);
            noted.Ended = (long)(clock.Seconds((int)noted.Ended) * Stopwatch.Frequency);
        }
    }

    public void Begin(EventKind kind, object source, in KernelCost cost = default, in ProductShape shape = default)
    {
        if (!IsOn)
        {
            return;
        }

        int index = -1;
        if (_count < _events.Length)
        {
            index = _count++;
            ref ProfileEvent noted = ref _events[index];
            noted.Kind = kind;
            noted.Parent = _depth > 0 ? _open[_depth - 1] : -1;
            noted.Source = source;
            noted.Shape = shape;
            noted.Cost = cost;
            noted.Started = Now();
        }
        else
        {
            Dropped++;
        }

        _open[_depth++] = index;
    }

    /// <summary>Ends what began last and has not ended.</summary>
    public void End()
    {
        if (!IsOn)
        {
            return;
        }

        int index = _open[--_depth];
        if (index >= 0)
        {
            _events[index].Ended = Now();
        }
    }

    private long Now() => Clock?.Mark() ?? Stopwatch.GetTimestamp();
}
