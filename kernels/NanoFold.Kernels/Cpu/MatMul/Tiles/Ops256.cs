using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>8 floats.</summary>
internal readonly unsafe struct Ops256 : IVectorOps<Vector256<float>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Bytes => 32;

    public static int ElementBytes => sizeof(float);

    public static Vector256<float> Zero => Vector256<float>.Zero;

    [MethodImpl(Inline)]
    public static Vector256<float> Constant(double value) => Vector256.Create((float)value);

    [MethodImpl(Inline)]
    public static Vector256<float> Load(byte* source) => Vector256.Load((float*)source);

    public static Vector256<float> LoadPart(byte* source, int count) => Lane8.LoadPart(source, 0, count).Value;

    [MethodImpl(Inline)]
    public static Vector256<float> Splat(byte* source) => Vector256.Create(*(float*)source);

    [MethodImpl(Inline)]
    public static void Store(byte* target, Vector256<float> value) => value.Store((float*)target);

    public static void StorePart(byte* target, int count, Vector256<float> value) => Lane8.StorePart(target, 0, count, new(value));

    [MethodImpl(Inline)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(Inline)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(Inline)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)]
    public static double Sum(Vector256<float> value) => Vector256.Sum(value);
}
