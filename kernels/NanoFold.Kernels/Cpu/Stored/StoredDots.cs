using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.Stored;

/// <summary>
/// One to three rows of a times four columns of weights in a type of files, which are widened in registers: what is read of memory is what the file has. Sums add in the order
/// of <see cref="DotProducts{O, V}"/> with 16 lanes, so that the bits are those of widened weights.
/// </summary>
internal static unsafe class StoredDots
{
    private const int MostRows = 3, Unit = DTypeExtensions.BlockValues;

    /// <summary>Whether it serves a product with vectors <typeparamref name="V"/>.</summary>
    public static bool Fits<V>(in Product product) =>
        typeof(V) == typeof(Vector512<float>) && Avx512F.IsSupported && product.Rows <= MostRows && product.Depth % Unit == 0;

    /// <summary>sums[4 row + column] = Σ a[row, k] · b[column, k].</summary>
    public static void Run(in Product product, byte* b0, byte* b1, byte* b2, byte* b3, double* sums)
    {
        switch (product.Stored)
        {
            case DType.BFloat16:
                Run<BFloatUnit>(product, b0, b1, b2, b3, sums);
                break;
            case DType.Float16:
                Run<HalfUnit>(product, b0, b1, b2, b3, sums);
                break;
            case DType.Q8_0:
                Run<Q8Unit>(product, b0, b1, b2, b3, sums);
                break;
            case DType.Q4_0:
                Run<Q4Unit>(product, b0, b1, b2, b3, sums);
                break;
            default:
                Run<Q4FromUnit>(product, b0, b1, b2, b3, sums);
                break;
        }
    }

    private static void Run<F>(in Product product, byte* b0, byte* b1, byte* b2, byte* b3, double* sums)
        where F : struct, IStoredUnit
    {
        int units = product.Depth / Unit;
        float* a = (float*)product.A;
        switch (product.Rows)
        {
            case 1:
                One<F>(a, units, b0, b1, b2, b3, sums);
                break;
            case 2:
                Two<F>(a, (float*)(product.A + product.ARow), units, b0, b1, b2, b3, sums);
                break;
            default:
                Three<F>(a, (float*)(product.A + product.ARow), (float*)(product.A + 2 * product.ARow), units, b0, b1, b2, b3, sums);
                break;
        }
    }

    private static void One<F>(float* a, int units, byte* b0, byte* b1, byte* b2, byte* b3, double* sums)
        where F : struct, IStoredUnit
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (; units > 0; units--, a += Unit)
        {
            Vector512<float> low = Vector512.Load(a), high = Vector512.Load(a + 16);
            s0 = Add<F>(low, high, b0, s0);
            s1 = Add<F>(low, high, b1, s1);
            s2 = Add<F>(low, high, b2, s2);
            s3 = Add<F>(low, high, b3, s3);
            b0 += F.Bytes;
            b1 += F.Bytes;
            b2 += F.Bytes;
            b3 += F.Bytes;
        }

        Put(sums, s0, s1, s2, s3);
    }

    private static void Two<F>(float* a, float* c, int units, byte* b0, byte* b1, byte* b2, byte* b3, double* sums)
        where F : struct, IStoredUnit
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default, t0 = default, t1 = default, t2 = default, t3 = default;
        for (; units > 0; units--, a += Unit, c += Unit)
        {
            Vector512<float> low = Vector512.Load(a), high = Vector512.Load(a + 16), lowC = Vector512.Load(c), highC = Vector512.Load(c + 16);
            Add<F>(low, high, lowC, highC, b0, ref s0, ref t0);
            Add<F>(low, high, lowC, highC, b1, ref s1, ref t1);
            Add<F>(low, high, lowC, highC, b2, ref s2, ref t2);
            Add<F>(low, high, lowC, highC, b3, ref s3, ref t3);
            b0 += F.Bytes;
            b1 += F.Bytes;
            b2 += F.Bytes;
            b3 += F.Bytes;
        }

        Put(sums, s0, s1, s2, s3);
        Put(sums + 4, t0, t1, t2, t3);
    }

    private static void Three<F>(float* a, float* c, float* d, int units, byte* b0, byte* b1, byte* b2, byte* b3, double* sums)
        where F : struct, IStoredUnit
    {
        Two<F>(a, c, units, b0, b1, b2, b3, sums);
        // The weights are in a cache by now.
        One<F>(d, units, b0, b1, b2, b3, sums + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Add<F>(Vector512<float> low, Vector512<float> high, byte* b, Vector512<float> sum)
        where F : struct, IStoredUnit
    {
        Vector512<float> shared = F.Shared(b);
        sum = Ops512.MultiplyAdd(low, F.Low(b, shared), sum);
        return Ops512.MultiplyAdd(high, F.High(b, shared), sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<F>(Vector512<float> low, Vector512<float> high, Vector512<float> lowC, Vector512<float> highC, byte* b, ref Vector512<float> s, ref Vector512<float> t)
        where F : struct, IStoredUnit
    {
        Vector512<float> shared = F.Shared(b), first = F.Low(b, shared), second = F.High(b, shared);
        s = Ops512.MultiplyAdd(high, second, Ops512.MultiplyAdd(low, first, s));
        t = Ops512.MultiplyAdd(highC, second, Ops512.MultiplyAdd(lowC, first, t));
    }

    private static void Put(double* sums, Vector512<float> s0, Vector512<float> s1, Vector512<float> s2, Vector512<float> s3)
    {
        sums[0] = Ops512.Sum(s0);
        sums[1] = Ops512.Sum(s1);
        sums[2] = Ops512.Sum(s2);
        sums[3] = Ops512.Sum(s3);
    }
}
