using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Attention.Cached;

/// <summary>Which slots of a cache a new token sees, see <see cref="CachedAttentionCall"/>.</summary>
internal struct CacheView
{
    public ArrayView<int> Positions, Counts;
    public int Time, Capacity;
    public VisibleRule Rule;

    /// <summary>New tokens of a row; none where what the device's memory says cannot be.</summary>
    public readonly int Count(int batch)
    {
        int count = Counts[batch];
        return Positions[batch] < 0 || count < 0 || count > Time ? 0 : count;
    }

    public readonly int Slot(int position) => position < Capacity ? position : Rule.Sinks + (position - Rule.Sinks) % (Capacity - Rule.Sinks);

    /// <summary>First key after the sinks that the position sees.</summary>
    public readonly int Start(int position) => IntrinsicMath.Max(IntrinsicMath.Max(Rule.Start(position), 0), Rule.SinkEnd(position));

    /// <summary>Number of keys that the position sees.</summary>
    public readonly int Visible(int position) => IntrinsicMath.Min(Rule.SinkEnd(position) + Rule.End(position) - Start(position), Capacity);
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

        int sinks = Cache.Rule.SinkEnd(Position);
        return Cache.Slot(index < sinks ? index : index - sinks + Cache.Start(Position));
    }
}
