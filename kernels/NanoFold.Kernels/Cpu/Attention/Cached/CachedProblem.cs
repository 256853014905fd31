using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>Checked arguments of cached attention, as plain sizes and addresses.</summary>
internal readonly unsafe struct CachedProblem
{
    public readonly int Batch, Time, Heads, KeyHeads, ValueHeads, Depth, ValueDepth, Capacity;
    public readonly DType Type, CacheType;
    public readonly HeadRows Q, K, V, Y;
    public readonly CacheRows KeyCache, ValueCache;
    public readonly double Scale, Cap;
    public readonly VisibleRule Rule;
    private readonly void* _decay, _decayCache, _sinkLogits;
    private readonly int* _positions, _counts, _prefixes;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit.</exception>
    public CachedProblem(in CachedAttentionCall args)
    {
        string op = CachedAttentionCall.Name;
        AttentionChecks.Rank4(op, "q", args.Q);
        AttentionChecks.Real(op, "q", args.Q);
        var shape = new CachedAttentionShape(op, args);
        Batch = shape.Batch;
        Time = shape.Time;
        Heads = shape.Heads;
        KeyHeads = shape.KeyHeads;
        Depth = shape.Depth;
        ValueHeads = shape.ValueHeads;
        ValueDepth = shape.ValueDepth;
        Capacity = shape.Capacity;
        Type = shape.Type;
        CacheType = shape.CacheType;
        Q = new HeadRows(args.Q);
        K = new HeadRows(args.K);
        V = new HeadRows(args.V.IsNone ? args.K : args.V);
        Y = new HeadRows(args.Y);
        KeyCache = new CacheRows(args.KeyCache);
        HasValues = !args.V.IsNone;
        ValueCache = new CacheRows(HasValues ? args.ValueCache : args.KeyCache);
        _decay = args.Decay.Address;
        _decayCache = args.DecayCache.Address;
        _sinkLogits = args.SinkLogits.Address;
        _positions = args.Positions.Ints;
        _counts = args.Counts.Ints;
        Scale = args.Scale;
        Cap = args.Cap;
        Rule = args.Visible.Rule();
        _prefixes = args.Visible.Prefixes.Ints;
    }

    /// <summary>Query heads that share a key head.</summary>
    public int Group => Heads / KeyHeads;

    /// <summary>Of each row, see <see cref="CachedAttentionCall"/>.</summary>
    public int* Positions => _positions;

    public int* Counts => _counts;

    /// <summary>Whether values are apart from keys, whose first elements they are otherwise.</summary>
    public bool HasValues { get; }

    public bool HasDecay => _decay is not null;

    public bool HasSinkLogits => _sinkLogits is not null;

    public int Position(int batch) => _positions[batch];

    public int Count(int batch) => _counts[batch];

    /// <summary>Where a position lies in the cache.</summary>
    public int Slot(int position) => position < Capacity ? position : Rule.Sinks + (position - Rule.Sinks) % (Capacity - Rule.Sinks);

    /// <summary>Keys that tokens [first, first + count) of a row see.</summary>
    public KeyBlocks Keys(int batch, int first, int count, int blockKeys = BlockSizes.Keys)
    {
        VisibleRule rule = _prefixes is null ? Rule : Rule.WithPrefix(_prefixes[batch]);
        return new KeyBlocks(rule, Position(batch) + first, Position(batch) + first + count - 1, Position(batch) + Count(batch), blockKeys);
    }

    public int ValueHead(int keyHead) => keyHead / (KeyHeads / ValueHeads);

    /// <summary>Running sums of log decays of the new tokens of a head from one on.</summary>
    public void* Decay<V>(int batch, int head, int time)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_decay, ((((nint)batch * Heads) + head) * Time) + time);

    /// <summary>Those in the cache from a slot on.</summary>
    public void* CachedDecay<V>(int batch, int head, int slot)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_decayCache, ((((nint)batch * Heads) + head) * Capacity) + slot);

    public double SinkLogit<V>(int head)
        where V : struct, ICpuLane<V>
        => Element.Get<V>(_sinkLogits, head);

    /// <summary>
    /// Copies new keys, with the values and the sums of decays that go with them, into their slots; those of one key head with an index in
    /// [firstIndex, endIndex). Values that heads share come with the first of these.
    /// </summary>
    public void Append<V>(int batch, int keyHead, in KeyBlocks keys, int firstIndex, int endIndex)
        where V : struct, ICpuLane<V>
    {
        for (int i = 0; i < Count(batch); i++)
        {
            int position = Position(batch) + i, index = keys.IndexOf(position);
            if (index >= firstIndex && index < endIndex)
            {
                int slot = Slot(position);
                KeyCache.Write<V>(batch, slot, keyHead, K.Row<V>(batch, i, keyHead), Depth);
                int valueHead = ValueHead(keyHead);
                if (HasValues && keyHead * ValueHeads == valueHead * KeyHeads)
                {
                    ValueCache.Write<V>(batch, slot, valueHead, this.V.Row<V>(batch, i, valueHead), ValueDepth);
                }

                for (int head = keyHead * Group; head < (keyHead + 1) * Group && HasDecay; head++)
                {
                    Element.Set<V>(CachedDecay<V>(batch, head, slot), 0, Element.Get<V>(Decay<V>(batch, head, i), 0));
                }
            }
        }
    }

    /// <summary>Looks at the positions and counts that there are now; returns the most keys that a row sees, its new ones included.</summary>
    /// <exception cref="ArgumentException">They do not fit the cache.</exception>
    public int CheckRows()
    {
        int most = 0;
        for (int b = 0; b < Batch; b++)
        {
            CheckRow(CachedAttentionCall.Name, b);
            most = Math.Max(most, Math.Min(Position(b), Capacity) + Count(b));
        }

        return most;
    }

    private void CheckRow(string op, int batch)
    {
        int position = Position(batch), count = Count(batch);
        if (position < 0 || count < 0 || count > Time)
        {
            Checks.Throw(op, $"row {batch} has {count} new tokens of {Time} at position {position}");
        }

        if ((long)position + count <= Capacity)
        {
            return;
        }

        // Beyond the capacity the cache is a ring: no query may need what a newer token overwrites.
        bool hasWindow = Rule.Window < VisibleRule.Far;
        if (!hasWindow || (long)Rule.Window + count - 1 > Capacity - Rule.Sinks || (long)position + count > VisibleRule.Far)
        {
            Checks.Throw(
                op,
                $"row {batch}: {count} tokens at position {position} do not fit a cache of {Capacity} with window {(hasWindow ? Rule.Window : 0)} and {Rule.Sinks} sinks");
        }
    }
}
