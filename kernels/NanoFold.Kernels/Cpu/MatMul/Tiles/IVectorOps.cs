namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>
/// What a tile does with a vector <typeparamref name="V"/>. Lanes wrap the vector in a struct, which costs the compiler a register
/// copy per multiply-add; here the vector itself is the operand, and the inner loop is as lean as one written by hand.
/// </summary>
internal unsafe interface IVectorOps<V>
    where V : struct
{
    static abstract int Bytes { get; }

    static abstract int ElementBytes { get; }

    static abstract V Zero { get; }

    static abstract V Constant(double value);

    static abstract V Load(byte* source);

    /// <summary>The first <paramref name="count"/> elements, the rest 0; touches no memory behind them.</summary>
    static abstract V LoadPart(byte* source, int count);

    /// <summary>One element, broadcast.</summary>
    static abstract V Splat(byte* source);

    static abstract void Store(byte* target, V value);

    /// <summary>Stores the first <paramref name="count"/> elements only.</summary>
    static abstract void StorePart(byte* target, int count, V value);

    static abstract V Add(V a, V b);

    static abstract V Multiply(V a, V b);

    /// <summary>a · b + c, fused where the machine can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>Sum of the elements, in an order that depends on the width only.</summary>
    static abstract double Sum(V value);
}
