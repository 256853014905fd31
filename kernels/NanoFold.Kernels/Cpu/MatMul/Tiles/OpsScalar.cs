using System.Numerics;
using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>One float or double.</summary>
internal readonly unsafe struct OpsScalar<T> : IVectorOps<T>
    where T : unmanaged, INumberBase<T>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Bytes => sizeof(T);

    public static int ElementBytes => sizeof(T);

    public static T Zero => T.Zero;

    [MethodImpl(Inline)]
    public static T Constant(double value) => T.CreateTruncating(value);

    [MethodImpl(Inline)]
    public static T Load(byte* source) => *(T*)source;

    public static T LoadPart(byte* source, int count) => count > 0 ? *(T*)source : T.Zero;

    [MethodImpl(Inline)]
    public static T Splat(byte* source) => *(T*)source;

    [MethodImpl(Inline)]
    public static void Store(byte* target, T value) => *(T*)target = value;

    public static void StorePart(byte* target, int count, T value)
    {
        if (count > 0)
        {
            *(T*)target = value;
        }
    }

    [MethodImpl(Inline)]
    public static T Add(T a, T b) => a + b;

    [MethodImpl(Inline)]
    public static T Multiply(T a, T b) => a * b;

    [MethodImpl(Inline)]
    public static T MultiplyAdd(T a, T b, T c) => T.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)]
    public static double Sum(T value) => double.CreateTruncating(value);
}
