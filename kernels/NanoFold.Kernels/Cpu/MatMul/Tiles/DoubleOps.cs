using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>4 doubles, on every machine, so that sums have the same order on all of them.</summary>
internal readonly unsafe struct DoubleOps : IVectorOps<Vector256<double>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Bytes => 32;

    public static int ElementBytes => sizeof(double);

    public static Vector256<double> Zero => Vector256<double>.Zero;

    [MethodImpl(Inline)]
    public static Vector256<double> Constant(double value) => Vector256.Create(value);

    [MethodImpl(Inline)]
    public static Vector256<double> Load(byte* source) => Vector256.Load((double*)source);

    public static Vector256<double> LoadPart(byte* source, int count)
    {
        var from = (double*)source;
        return Vector256.Create(count > 0 ? from[0] : 0, count > 1 ? from[1] : 0, count > 2 ? from[2] : 0, count > 3 ? from[3] : 0);
    }

    [MethodImpl(Inline)]
    public static Vector256<double> Splat(byte* source) => Vector256.Create(*(double*)source);

    [MethodImpl(Inline)]
    public static void Store(byte* target, Vector256<double> value) => value.Store((double*)target);

    public static void StorePart(byte* target, int count, Vector256<double> value)
    {
        for (int i = 0; i < Math.Min(count, Vector256<double>.Count); i++)
        {
            ((double*)target)[i] = value[i];
        }
    }

    [MethodImpl(Inline)]
    public static Vector256<double> Add(Vector256<double> a, Vector256<double> b) => a + b;

    [MethodImpl(Inline)]
    public static Vector256<double> Multiply(Vector256<double> a, Vector256<double> b) => a * b;

    [MethodImpl(Inline)]
    public static Vector256<double> MultiplyAdd(Vector256<double> a, Vector256<double> b, Vector256<double> c) => Vector256.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)]
    public static double Sum(Vector256<double> value) => Vector256.Sum(value);

    [MethodImpl(Inline)]
    public static void SumFour<E>(Vector256<double> a, Vector256<double> b, Vector256<double> c, Vector256<double> d, E* sums)
        where E : unmanaged, INumberBase<E>
        => (sums[0], sums[1], sums[2], sums[3]) = (E.CreateTruncating(Sum(a)), E.CreateTruncating(Sum(b)), E.CreateTruncating(Sum(c)), E.CreateTruncating(Sum(d)));

    [MethodImpl(Inline)]
    public static Vector128<float> SumFour(Vector256<double> a, Vector256<double> b, Vector256<double> c, Vector256<double> d) =>
        Vector128.Create((float)Sum(a), (float)Sum(b), (float)Sum(c), (float)Sum(d));
}
