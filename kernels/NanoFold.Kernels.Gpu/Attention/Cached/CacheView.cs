using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Attention.Cached;

/// <summary>Which slots of a cache a new token sees, see <see cref="CachedAttentionCall"/>.</summary>
internal struct CacheView
{
    public ArrayView<int> Positions, Counts;
    public int Time, Capacity, Window, Sinks;

    /// <summary>New tokens of a row; none where what the device's memory says cannot be.</summary>
    public readonly int Count(int batch)
    {
        int count = Counts[batch];
        return Positions[batch] < 0 || count < 0 || count > Time ? 0 : count;
    }

    public readonly int Slot(int position) => position < Capacity ? position : Sinks + (position - Sinks) % (Capacity - Sinks);

    /// <summary>Keys before this one are sinks that the position sees, whatever the window.</summary>
    public readonly int SinkEnd(int position) => Window > 0 ? IntrinsicMath.Min(Sinks, position + 1) : 0;

    /// <summary>First key behind the sinks that the position sees.</summary>
    public readonly int Start(int position) => IntrinsicMath.Max(Window > 0 ? position - Window + 1 : 0, SinkEnd(position));

    /// <summary>Number of keys that the position sees.</summary>
    public readonly int Visible(int position) => IntrinsicMath.Min(SinkEnd(position) + position + 1 - Start(position), Capacity);
}

/// <summary>Slots of the keys that a token sees: all in order, or those that a list picks.</summary>
internal struct CachedKeys : IKeyOrder
{
    public CacheView Cache;
    public ArrayView<int> Picked;
    public int Position, IsPicked;

    public readonly int At(int index)
    {
        if (IsPicked != 0)
        {
            index = Picked[index];
        }

        int sinks = Cache.SinkEnd(Position);
        return Cache.Slot(index < sinks ? index : index - sinks + Cache.Start(Position));
    }
}
