using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>What the forward pass leaves for the backward pass: the state that comes to each chunk but the first, and E of the delta rule, v − what the state gave.</summary>
internal readonly unsafe struct KeptStates
{
    private readonly int _heads, _time, _chunks, _stateSize, _valueWidth;
    private readonly void* _states;

    public KeptStates(in RecurrentHeadsShape shape, in View kept)
    {
        _heads = shape.Heads;
        _time = shape.Time;
        _chunks = shape.Chunks - 1;
        _stateSize = shape.KeyWidth * shape.ValueWidth;
        _valueWidth = shape.ValueWidth;
        _states = kept.Address;
        Elements = (long)shape.Batch * _heads * (((long)_chunks * _stateSize) + (shape.HasBeta ? (long)_time * _valueWidth : 0));
        Values = (long)shape.Batch * _heads * _chunks * _stateSize;
    }

    public bool IsNone => _states is null;

    /// <summary>Of all.</summary>
    public long Elements { get; }

    private long Values { get; }

    /// <summary>The state [DK, DV] that comes to a chunk, not the first.</summary>
    public void* State<V>(int batch, int head, int chunk)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_states, checked((nint)(((((long)batch * _heads) + head) * _chunks) + chunk - 1) * _stateSize));

    /// <summary>Values of a head from a place on, rows of DV one after the other.</summary>
    public void* Row<V>(int batch, int head, int time)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_states, (nint)(Values + ((((((long)batch * _heads) + head) * _time) + time) * _valueWidth)));
}
