using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.Stored;

/// <summary>
/// One to three rows of a times four columns of weights in a type of files, which are widened in registers: what is read of memory is what the file has. Sums add in the order
/// of <see cref="DotProducts{O, V, B}"/> with 16 lanes, so that the bits are those of widened weights.
/// </summary>
internal unsafe struct StoredDots
{
    private const int MostRows = 3, Unit = DTypeExtensions.BlockValues, Lanes = 16, Columns = 4;

    /// <summary>Bytes ahead of which weights are asked for, as of <see cref="FarLoads{O, V}"/>.</summary>
    private const int Ahead = FarLoads<Ops512, Vector512<float>>.Ahead;

    public byte* B0, B1, B2, B3;

    /// <summary>Room for the scales of four columns, twice as many halves and floats as there are; with a multiple of 16 of each.</summary>
    public byte* Scratch;

    /// <summary>Whether it serves a product with vectors <typeparamref name="V"/>.</summary>
    public static bool Fits<V>(in Product product) =>
        typeof(V) == typeof(Vector512<float>) && Avx512F.IsSupported && product.Rows <= MostRows && product.Depth % Unit == 0;

    /// <summary>sums[4 row + column] = Σ a[row, k] · b[column, k].</summary>
    public readonly void Run(in Product product, double* sums)
    {
        switch (product.Stored)
        {
            case DType.BFloat16:
                Run<BFloatUnit>(product, sums);
                break;
            case DType.Float16:
                Run<HalfUnit>(product, sums);
                break;
            case DType.Q8_0:
                Run<Q8Unit>(product, sums);
                break;
            case DType.Q4_0:
                Run<Q4Unit>(product, sums);
                break;
            default:
                Run<Q4FromUnit>(product, sums);
                break;
        }
    }

    private readonly void Run<F>(in Product product, double* sums)
        where F : struct, IStoredUnit
    {
        int units = product.Depth / Unit, places = (units * F.Scales + Lanes - 1) / Lanes * Lanes;
        float* scales = (float*)Scratch, a = (float*)product.A, c = (float*)(product.A + product.ARow), d = (float*)(product.A + 2 * product.ARow);
        if (F.Scales > 0)
        {
            ReadScales<F>(units, places, scales);
        }

        switch (product.Rows)
        {
            case 1:
                One<F>(a, units, scales, places, sums);
                break;
            case 2:
                Two<F>(a, c, units, scales, places, sums);
                break;
            default:
                Two<F>(a, c, units, scales, places, sums);
                // The weights are in a cache by now.
                One<F>(d, units, scales, places, sums + 2 * Columns);
                break;
        }
    }

    // Those of a column one after the other: first as they are, then sixteen at a time as floats. Vectors are not put together of what was just stored.
    private readonly void ReadScales<F>(int units, int places, float* scales)
        where F : struct, IStoredUnit
    {
        short* halves = (short*)(scales + Columns * places);
        Gather<F>(B0, units, halves);
        Gather<F>(B1, units, halves + places);
        Gather<F>(B2, units, halves + 2 * places);
        Gather<F>(B3, units, halves + 3 * places);
        for (int i = 0; i < Columns * places; i += Lanes)
        {
            HalfUnit.Sixteen(halves + i).Store(scales + i);
        }
    }

    private static void Gather<F>(byte* b, int units, short* halves)
        where F : struct, IStoredUnit
    {
        for (int unit = 0; unit < units; unit++, b += F.Bytes)
        {
            if (F.Scales == 1)
            {
                halves[unit] = *(short*)b;
            }
            else
            {
                ((int*)halves)[unit] = *(int*)b;
            }
        }
    }

    private readonly void One<F>(float* a, int units, float* scales, int places, double* sums)
        where F : struct, IStoredUnit
    {
        byte* b0 = B0, b1 = B1, b2 = B2, b3 = B3;
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (; units > 0; units--, a += Unit, scales += F.Scales)
        {
            Fetch(b0, b1, b2, b3);
            Vector512<float> low = Vector512.Load(a), high = Vector512.Load(a + Lanes);
            s0 = Add<F>(low, high, b0, scales, s0);
            s1 = Add<F>(low, high, b1, scales + places, s1);
            s2 = Add<F>(low, high, b2, scales + 2 * places, s2);
            s3 = Add<F>(low, high, b3, scales + 3 * places, s3);
            b0 += F.Bytes;
            b1 += F.Bytes;
            b2 += F.Bytes;
            b3 += F.Bytes;
        }

        Ops512.SumFour(s0, s1, s2, s3, sums);
    }

    private readonly void Two<F>(float* a, float* c, int units, float* scales, int places, double* sums)
        where F : struct, IStoredUnit
    {
        byte* b0 = B0, b1 = B1, b2 = B2, b3 = B3;
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default, t0 = default, t1 = default, t2 = default, t3 = default;
        for (; units > 0; units--, a += Unit, c += Unit, scales += F.Scales)
        {
            Fetch(b0, b1, b2, b3);
            Vector512<float> low = Vector512.Load(a), high = Vector512.Load(a + Lanes), lowC = Vector512.Load(c), highC = Vector512.Load(c + Lanes);
            Add<F>(low, high, lowC, highC, b0, scales, ref s0, ref t0);
            Add<F>(low, high, lowC, highC, b1, scales + places, ref s1, ref t1);
            Add<F>(low, high, lowC, highC, b2, scales + 2 * places, ref s2, ref t2);
            Add<F>(low, high, lowC, highC, b3, scales + 3 * places, ref s3, ref t3);
            b0 += F.Bytes;
            b1 += F.Bytes;
            b2 += F.Bytes;
            b3 += F.Bytes;
        }

        Ops512.SumFour(s0, s1, s2, s3, sums);
        Ops512.SumFour(t0, t1, t2, t3, sums + Columns);
    }

    // Hints only: addresses past the end do no harm.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* b0, byte* b1, byte* b2, byte* b3)
    {
        Prefetch.Line(b0 + Ahead);
        Prefetch.Line(b1 + Ahead);
        Prefetch.Line(b2 + Ahead);
        Prefetch.Line(b3 + Ahead);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Add<F>(Vector512<float> low, Vector512<float> high, byte* b, float* scales, Vector512<float> sum)
        where F : struct, IStoredUnit
    {
        Vector512<float> shared = F.Shared(scales);
        return Ops512.MultiplyAdd(high, F.High(b, shared), Ops512.MultiplyAdd(low, F.Low(b, shared), sum));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<F>(
        Vector512<float> low, Vector512<float> high, Vector512<float> lowC, Vector512<float> highC, byte* b, float* scales, ref Vector512<float> s, ref Vector512<float> t)
        where F : struct, IStoredUnit
    {
        Vector512<float> shared = F.Shared(scales), first = F.Low(b, shared), second = F.High(b, shared);
        s = Ops512.MultiplyAdd(high, second, Ops512.MultiplyAdd(low, first, s));
        t = Ops512.MultiplyAdd(highC, second, Ops512.MultiplyAdd(lowC, first, t));
    }
}
