namespace NanoFold.Kernels.Lanes;

/// <summary>A lane that lives in host memory: what CPU kernels add to the arithmetic. Indices and counts are in elements.</summary>
public unsafe interface ICpuLane<V> : ILane<V>
    where V : struct, ICpuLane<V>
{
    /// <summary>Elements in the lane.</summary>
    static abstract int Width { get; }

    static abstract DType Type { get; }

    static abstract V Load(void* source, nint index);

    /// <summary>The first <paramref name="count"/> elements, the rest 0; touches no memory after them.</summary>
    static abstract V LoadPart(void* source, nint index, int count);

    static abstract void Store(void* target, nint index, V value);

    /// <summary>Stores the first <paramref name="count"/> elements only.</summary>
    static abstract void StorePart(void* target, nint index, int count, V value);

    /// <summary>Sum of the elements, in an order that depends on the width only.</summary>
    static abstract double Sum(V value);

    static abstract double Largest(V value);

    /// <summary>2ᵃ where a is at most 0, as decays have it: cheaper than <see cref="ILane{V}.Exp"/>. Below −126 it stays at 2⁻¹²⁶ in float32.</summary>
    static abstract V DecayOfTwo(V a);

    /// <summary>One element, broadcast.</summary>
    static abstract V Splat(void* source, nint index);
}
