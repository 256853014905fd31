using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>4 floats.</summary>
internal readonly unsafe struct Ops128 : IVectorOps<Vector128<float>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Bytes => 16;

    public static int ElementBytes => sizeof(float);

    public static Vector128<float> Zero => Vector128<float>.Zero;

    [MethodImpl(Inline)]
    public static Vector128<float> Constant(double value) => Vector128.Create((float)value);

    [MethodImpl(Inline)]
    public static Vector128<float> Load(byte* source) => Vector128.Load((float*)source);

    public static Vector128<float> LoadPart(byte* source, int count) => Lane4.LoadPart(source, 0, count).Value;

    [MethodImpl(Inline)]
    public static Vector128<float> Splat(byte* source) => Vector128.Create(*(float*)source);

    [MethodImpl(Inline)]
    public static void Store(byte* target, Vector128<float> value) => value.Store((float*)target);

    public static void StorePart(byte* target, int count, Vector128<float> value) => Lane4.StorePart(target, 0, count, new(value));

    [MethodImpl(Inline)]
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    [MethodImpl(Inline)]
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    [MethodImpl(Inline)]
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Vector128.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)]
    public static double Sum(Vector128<float> value) => Vector128.Sum(value);
}
