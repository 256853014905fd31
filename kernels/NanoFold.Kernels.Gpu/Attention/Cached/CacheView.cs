using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Attention.Cached;

/// <summary>Which slots of a cache a new token sees, see <see cref="CachedAttentionCall"/>.</summary>
internal struct CacheView
{
    public ArrayView<int> Positions, Counts, Prefixes;
    public int Time, Capacity, HasPrefixes;
    public VisibleRule Rule;

    /// <summary>New tokens of a row; none where what the device's memory says cannot be.</summary>
    public readonly int Count(int batch)
    {
        int count = Counts[batch];
        return Positions[batch] < 0 || count < 0 || count > Time ? 0 : count;
    }

    public readonly int Slot(int position) => position < Capacity ? position : Rule.Sinks + (position - Rule.Sinks) % (Capacity - Rule.Sinks);

    /// <summary>What the token at a position of a row sees of those up to the last new one.</summary>
    public readonly CachedKeys Seen(int batch, int position)
    {
        VisibleRule rule = Rule;
        if (HasPrefixes != 0)
        {
            rule = Rule.WithPrefix(Prefixes[batch]);
        }

        int end = Positions[batch] + Count(batch);
        CachedKeys keys = default;
        keys.Cache = this;
        keys.SinkEnd = IntrinsicMath.Min(rule.SinkEnd(position), end);
        keys.Start = IntrinsicMath.Max(IntrinsicMath.Max(rule.Start(position), 0), keys.SinkEnd);
        keys.Count = IntrinsicMath.Min(keys.SinkEnd + IntrinsicMath.Max(IntrinsicMath.Min(rule.End(position), end) - keys.Start, 0), Capacity);
        return keys;
    }
}

/// <summary>Slots of the keys that a token sees, in order.</summary>
internal struct CachedKeys : IKeyOrder
{
    public CacheView Cache;
    public int SinkEnd, Start;

    /// <summary>Keys that the token sees.</summary>
    public int Count;

    public readonly int At(int index) => Cache.Slot(index < SinkEnd ? index : index - SinkEnd + Start);
}
