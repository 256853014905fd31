using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>16 floats.</summary>
internal readonly unsafe struct Ops512 : IVectorOps<Vector512<float>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Bytes => 64;

    public static int ElementBytes => sizeof(float);

    public static Vector512<float> Zero => Vector512<float>.Zero;

    [MethodImpl(Inline)]
    public static Vector512<float> Constant(double value) => Vector512.Create((float)value);

    [MethodImpl(Inline)]
    public static Vector512<float> Load(byte* source) => Vector512.Load((float*)source);

    public static Vector512<float> LoadPart(byte* source, int count) => Lane16.LoadPart(source, 0, count).Value;

    [MethodImpl(Inline)]
    public static Vector512<float> Splat(byte* source) => Vector512.Create(*(float*)source);

    [MethodImpl(Inline)]
    public static void Store(byte* target, Vector512<float> value) => value.Store((float*)target);

    public static void StorePart(byte* target, int count, Vector512<float> value) => Lane16.StorePart(target, 0, count, new(value));

    [MethodImpl(Inline)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(Inline)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(Inline)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)]
    public static double Sum(Vector512<float> value) => Vector512.Sum(value);
}
