using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Lanes;

/// <summary>One double: the same formulas where gradients are checked against finite differences.</summary>
public readonly struct LaneDouble : ICpuLane<LaneDouble>
{
    private readonly double _value;

    public LaneDouble(double value) => _value = value;

    public static int Width => 1;

    public static DType Type => DType.Float64;

    public double Value => _value;

    [MethodImpl(Inline)]
    public static LaneDouble Constant(double value) => new(value);

    [MethodImpl(Inline)]
    public static LaneDouble operator +(LaneDouble a, LaneDouble b) => new(a._value + b._value);

    [MethodImpl(Inline)]
    public static LaneDouble operator -(LaneDouble a, LaneDouble b) => new(a._value - b._value);

    [MethodImpl(Inline)]
    public static LaneDouble operator *(LaneDouble a, LaneDouble b) => new(a._value * b._value);

    [MethodImpl(Inline)]
    public static LaneDouble operator /(LaneDouble a, LaneDouble b) => new(a._value / b._value);

    [MethodImpl(Inline)]
    public static LaneDouble operator -(LaneDouble a) => new(-a._value);

    [MethodImpl(Inline)]
    public static LaneDouble MultiplyAdd(LaneDouble a, LaneDouble b, LaneDouble c) => new(a._value * b._value + c._value);

    [MethodImpl(Inline)]
    public static LaneDouble Max(LaneDouble a, LaneDouble b) => new(a._value > b._value ? a._value : b._value);

    [MethodImpl(Inline)]
    public static LaneDouble Min(LaneDouble a, LaneDouble b) => new(a._value < b._value ? a._value : b._value);

    [MethodImpl(Inline)]
    public static LaneDouble Abs(LaneDouble a) => new(Math.Abs(a._value));

    [MethodImpl(Inline)]
    public static LaneDouble Sqrt(LaneDouble a) => new(Math.Sqrt(a._value));

    [MethodImpl(Inline)]
    public static LaneDouble Exp(LaneDouble a) => new(Math.Exp(a._value));

    [MethodImpl(Inline)]
    public static LaneDouble DecayOfTwo(LaneDouble a) => new(double.Exp2(a._value));

    [MethodImpl(Inline)]
    public static LaneDouble Tanh(LaneDouble a) => new(Math.Tanh(a._value));

    [MethodImpl(Inline)]
    public static LaneDouble Log(LaneDouble a) => new(Math.Log(a._value));

    public static LaneDouble Erfc(LaneDouble a) => new(DoubleMath.Erfc(a._value));

    [MethodImpl(Inline)]
    public static LaneDouble SelectGreater(LaneDouble a, LaneDouble b, LaneDouble ifGreater, LaneDouble otherwise) => a._value > b._value ? ifGreater : otherwise;

    [MethodImpl(Inline)]
    public static unsafe LaneDouble Load(void* source, nint index) => new(((double*)source)[index]);

    [MethodImpl(Inline)]
    public static unsafe LaneDouble LoadPart(void* source, nint index, int count) => count > 0 ? Load(source, index) : default;

    [MethodImpl(Inline)]
    public static unsafe void Store(void* target, nint index, LaneDouble value) => ((double*)target)[index] = value._value;

    [MethodImpl(Inline)]
    public static unsafe void StorePart(void* target, nint index, int count, LaneDouble value)
    {
        if (count > 0)
        {
            Store(target, index, value);
        }
    }

    [MethodImpl(Inline)]
    public static double Sum(LaneDouble value) => value._value;

    [MethodImpl(Inline)]
    public static double Largest(LaneDouble value) => value._value;

    [MethodImpl(Inline)]
    public static unsafe LaneDouble Splat(void* source, nint index) => Load(source, index);

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
}
