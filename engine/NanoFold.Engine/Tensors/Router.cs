using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>What the router of a layer keeps from step to step, in a <see cref="ParameterStore"/>: what it sent where in this step, and the bias that balances its experts.</summary>
public sealed class Router
{
    internal Router(ParameterStore store, int layer, int experts, StateTensor? bias, double biasRate)
    {
        Store = store;
        Layer = layer;
        Experts = experts;
        Bias = bias;
        BiasRate = biasRate;
    }

    /// <summary>Where its counts are.</summary>
    public ParameterStore Store { get; }

    /// <summary>The layer that it is in, from 0.</summary>
    public int Layer { get; }

    /// <summary>E, the experts that it chooses from.</summary>
    public int Experts { get; }

    /// <summary>[E], added to scores where experts are chosen; no gradient moves it. Null for none.</summary>
    public StateTensor? Bias { get; }

    /// <summary>u: after a step bias[e] += u · sign(mean count − count[e]).</summary>
    public double BiasRate { get; }

    /// <summary>First element in the store's counts.</summary>
    internal long Offset { get; init; }
}

/// <summary>What the routers of a store count in a step, one after the other in one buffer.</summary>
internal sealed class RouterCounts : IDisposable
{
    private int _elements;
    private DeviceBuffer? _buffer;

    public long Bytes => _buffer?.Bytes ?? 0;

    /// <summary>Makes room for E counts and what was dropped; returns where.</summary>
    public long Reserve(int experts)
    {
        int offset = _elements;
        _elements = checked(_elements + experts + 1);
        return offset;
    }

    public void Allocate(Backend backend)
    {
        if (_elements > 0)
        {
            _buffer = backend.Allocate((long)_elements * sizeof(int));
            Clear(backend);
        }
    }

    public View All => new(_buffer ?? throw new InvalidOperationException("parameter store: has no routers, or is not allocated"), 0, Layout.Of(_elements), DType.Int32);

    public View Of(Router router) => All.With(Layout.Of(router.Experts + 1), router.Offset);

    public void Clear(Backend backend)
    {
        if (_buffer is not null)
        {
            // 0 has the same bits as a real number, which every device can fill with.
            backend.Fill(new View(_buffer, 0, Layout.Of(_elements), DType.Float32), 0);
        }
    }

    public void Dispose()
    {
        _buffer?.Dispose();
        _buffer = null;
    }
}
