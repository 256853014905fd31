using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// Sums over queries for the keys of one value head: dk [key heads that share it, keys, padded D], dv [keys, padded DV] and, where scores decay, dc
/// [query heads, keys].
/// </summary>
internal readonly unsafe struct KeyGradients
{
    private readonly void* _key, _value, _decay;
    private readonly int _keys, _keyHeads, _heads, _depth, _valueDepth;
    private readonly nint _keyHead;

    /// <param name="memory">As many bytes as <see cref="Bytes"/> says, or null.</param>
    /// <param name="shape">Of the problem.</param>
    /// <param name="size">Bytes of an element.</param>
    public KeyGradients(void* memory, in AttentionShape shape, int size)
    {
        var cursor = new ScratchCursor(memory);
        _keys = shape.Keys;
        _keyHeads = shape.KeyHeads / shape.ValueHeads;
        _heads = shape.HasDecay ? shape.ValueGroup : 0;
        KeyRow = _depth = GradientPlan.Padded(shape.Depth);
        ValueRow = _valueDepth = GradientPlan.Padded(shape.ValueDepth);
        _keyHead = _keys * KeyRow;
        _key = cursor.Take((long)_keyHeads * _keys * KeyRow * size);
        _value = cursor.Take((long)_keys * ValueRow * size);
        _decay = cursor.Take((long)_heads * GradientPlan.Padded(_keys) * size);
        Bytes = cursor.Used;
    }

    /// <summary>The same sums, but dk or dv where they are to be in the end, or neither.</summary>
    /// <param name="sums">Of a worker.</param>
    /// <param name="dk">Of the first key head that shares the value head, or null.</param>
    /// <param name="keyHead">Elements between key heads.</param>
    /// <param name="dv">Of the value head, or null.</param>
    public KeyGradients(in KeyGradients sums, void* dk, nint keyHead, nint keyRow, int depth, void* dv, nint valueRow, int valueDepth)
    {
        this = sums;
        if (dk is not null)
        {
            _key = dk;
            (_keyHead, KeyRow, _depth) = (keyHead, keyRow, depth);
        }

        if (dv is not null)
        {
            _value = dv;
            (ValueRow, _valueDepth) = (valueRow, valueDepth);
        }
    }

    public long Bytes { get; }

    /// <summary>Sums that a worker owns.</summary>
    public static KeyGradients Take(ref ScratchCursor cursor, in AttentionProblem problem, LaneSize lane)
    {
        long bytes = new KeyGradients(null, problem.Shape, lane.Bytes).Bytes;
        return new KeyGradients(cursor.Take(bytes), problem.Shape, lane.Bytes);
    }

    /// <summary>Elements between rows.</summary>
    public nint KeyRow { get; }

    public nint ValueRow { get; }

    /// <param name="head">Key head, counted from the first that shares the value head.</param>
    /// <param name="index">Of the key.</param>
    public void* Key<V>(int head, int index)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_key, (head * _keyHead) + (index * KeyRow));

    public void* Value<V>(int index)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_value, index * ValueRow);

    /// <param name="head">Query head, counted from the first that reads the value head.</param>
    /// <param name="index">Of the key.</param>
    public void* Decay<V>(int head, int index)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_decay, ((nint)head * GradientPlan.Padded(_keys)) + index);

    public void Zero<V>(int first, int end)
        where V : struct, ICpuLane<V>
    {
        for (int head = 0; head < _keyHeads; head++)
        {
            ZeroKeys<V>(head, first, end);
        }

        ZeroValues<V>(first, end);
        ZeroDecay<V>(first, end);
    }

    public void ZeroKeys<V>(int head, int first, int end)
        where V : struct, ICpuLane<V>
        => HeadRow.ZeroRows<V>(Key<V>(head, first), KeyRow, end - first, _depth);

    public void ZeroValues<V>(int first, int end)
        where V : struct, ICpuLane<V>
        => HeadRow.ZeroRows<V>(Value<V>(first), ValueRow, end - first, _valueDepth);

    public void ZeroDecay<V>(int first, int end)
        where V : struct, ICpuLane<V>
    {
        for (int head = 0; head < _heads && first < end; head++)
        {
            HeadRow.Zero<V>(Decay<V>(head, first), end - first);
        }
    }

    /// <summary>Adds dc of one key of another part.</summary>
    public void AddDecay<V>(int index, in KeyGradients other)
        where V : struct, ICpuLane<V>
    {
        for (int head = 0; head < _heads; head++)
        {
            double sum = Element.Get<V>(Decay<V>(head, index), 0) + Element.Get<V>(other.Decay<V>(head, index), 0);
            Element.Set<V>(Decay<V>(head, index), 0, sum);
        }
    }
}
