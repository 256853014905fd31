using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>Guarded tensors of one chunk of new tokens, and a cache.</summary>
internal sealed class CacheRig : IDisposable
{
    private readonly AttentionReference _reference;
    private readonly GuardedTensor _q, _k, _v, _keys, _values, _positions, _counts;
    private readonly GuardedTensor? _prefixes;

    public CacheRig(AttentionReference reference, DType type, int chunk, int capacity)
    {
        _reference = reference;
        AttentionReference r = reference;
        var random = new Random(9);
        _q = new GuardedTensor(type, [r.Batch, chunk, r.Heads, r.Depth], 0, 3).Fill(random);
        _k = new GuardedTensor(type, [r.Batch, chunk, r.KeyHeads, r.Depth], 1, 3).Fill(random);
        _v = new GuardedTensor(type, [r.Batch, chunk, r.KeyHeads, r.ValueDepth], 2, 3).Fill(random);
        Y = new GuardedTensor(type, [r.Batch, chunk, r.Heads, r.ValueDepth]);
        _keys = new GuardedTensor(type, [r.Batch, capacity, r.KeyHeads, r.Depth]).Fill(random);
        _values = new GuardedTensor(type, [r.Batch, capacity, r.KeyHeads, r.ValueDepth]).Fill(random);
        _positions = new GuardedTensor(DType.Int32, [r.Batch]);
        _counts = new GuardedTensor(DType.Int32, [r.Batch]);
        _prefixes = r.Prefixes is { } prefixes ? new GuardedTensor(DType.Int32, [r.Batch]).Fill(i => prefixes[i]) : null;
    }

    public GuardedTensor Y { get; }

    public CachedAttentionCall Args => new()
    {
        Q = _q.View,
        K = _k.View,
        V = _v.View,
        Y = Y.View,
        KeyCache = _keys.View,
        ValueCache = _values.View,
        Positions = _positions.View,
        Counts = _counts.View,
        Scale = _reference.Scale,
        Visible = new Visible { Kind = _reference.Kind, Window = _reference.Window, Sinks = _reference.Sinks, Prefixes = _prefixes?.View ?? default },
    };

    public int Count(int batch) => (int)_counts[batch];

    public void Set(int batch, int position, int count)
    {
        _positions[batch] = position;
        _counts[batch] = count;
    }

    /// <summary>Takes a row's next tokens from the full pass.</summary>
    public void CopyTokens(AttentionRig full, AttentionReference whole, int batch)
    {
        Copy(full.Q, _q);
        Copy(full.K, _k);
        Copy(full.V, _v);

        void Copy(GuardedTensor from, GuardedTensor to)
        {
            int row = to.View.Layout[2] * to.View.Layout[3];
            for (int i = 0; i < Count(batch) * row; i++)
            {
                to[(batch * to.View.Layout[1] * row) + i] = from[(((batch * whole.Time) + (int)_positions[batch]) * row) + i];
            }
        }
    }

    /// <summary>Compares a row's new outputs at positions from <paramref name="start"/> on; outputs behind the count are 0.</summary>
    public void AssertOutput(AttentionRig full, AttentionReference whole, int batch, int start, double tolerance)
    {
        int row = whole.Heads * whole.ValueDepth, chunk = Y.View.Layout[1];
        for (int i = 0; i < chunk * row; i++)
        {
            int position = (int)_positions[batch] + i / row;
            double actual = Y[(batch * chunk * row) + i];
            if (i / row >= Count(batch) || position >= start)
            {
                double expected = i / row >= Count(batch) ? 0 : full.Y[(((batch * whole.Time) + position) * row) + i % row];
                if (!(Math.Abs(actual - expected) <= tolerance))
                {
                    Assert.Fail($"row {batch}, position {position}, element {i % row}: expected {expected}, got {actual}");
                }
            }
        }
    }

    public void AssertGuards()
    {
        foreach (GuardedTensor tensor in new[] { _q, _k, _v, Y, _keys, _values, _positions, _counts })
        {
            tensor.AssertGuards();
        }
    }

    public void Dispose()
    {
        foreach (GuardedTensor tensor in new[] { _q, _k, _v, Y, _keys, _values, _positions, _counts })
        {
            tensor.Dispose();
        }

        _prefixes?.Dispose();
    }
}
