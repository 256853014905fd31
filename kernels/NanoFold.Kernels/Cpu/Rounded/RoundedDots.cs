using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.Rounded;

/// <summary>
/// One or two rows of rounded activations times four columns of weights: integers within a block, floats over blocks. Its bits do not depend on the form of <typeparamref name="D"/>, nor on how
/// many rows there are.
/// </summary>
/// <param name="columns">The first column.</param>
/// <param name="second">From it to the second, in bytes.</param>
/// <param name="third">From it to the third.</param>
/// <param name="fourth">From it to the fourth.</param>
/// <param name="units">Blocks of a column.</param>
internal readonly unsafe struct RoundedDots<F, D>(byte* columns, nint second, nint third, nint fourth, int units)
    where F : struct, IByteUnit
    where D : struct, IByteDots
{
    private const int Starts = DTypeExtensions.BlockValues, Columns = RoundedColumns.Columns, Blocks = RoundedRows.BlockBytes / Columns;

    /// <summary>How far before it is used a column is asked for, in bytes: some of the columns after it, which follow it in memory.</summary>
    private const int Ahead = 1408;

    /// <summary>The sums of a row, one for each column.</summary>
    /// <param name="x">Its blocks.</param>
    /// <param name="p">Products of scales, see <see cref="RoundedColumns.Products"/>.</param>
    public Vector128<float> One(byte* x, float* p)
    {
        byte* b = columns;
        nint d1 = second, d2 = third, d3 = fourth, end = (nint)units * Columns;
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (nint i = 0; i < end; i += Columns, b += F.Bytes)
        {
            if (!F.IsUnpacked)
            {
                Prefetch.Line(b + Ahead);
                Prefetch.Line(b + d1 + Ahead);
                Prefetch.Line(b + d2 + Ahead);
                Prefetch.Line(b + d3 + Ahead);
            }

            Vector256<sbyte> q = Vector256.Load((sbyte*)(x + (i * Blocks)));
            Vector256<int> start = First(x + (i * Blocks));
            s0 = Add(start, F.Load(b), q, p + i, s0);
            s1 = Add(start, F.Load(b + d1), q, p + i + 1, s1);
            s2 = Add(start, F.Load(b + d2), q, p + i + 2, s2);
            s3 = Add(start, F.Load(b + d3), q, p + i + 3, s3);
        }

        return FourSums.Of(s0, s1, s2, s3);
    }

    /// <summary>The sums of two rows.</summary>
    public (Vector128<float> First, Vector128<float> Second) Two(byte* x, float* p, byte* y, float* r)
    {
        byte* b = columns;
        nint d1 = second, d2 = third, d3 = fourth, end = (nint)units * Columns;
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default, t0 = default, t1 = default, t2 = default, t3 = default;
        for (nint i = 0; i < end; i += Columns, b += F.Bytes)
        {
            Vector256<sbyte> q = Vector256.Load((sbyte*)(x + (i * Blocks))), v = Vector256.Load((sbyte*)(y + (i * Blocks)));
            Vector256<int> start = First(x + (i * Blocks)), other = First(y + (i * Blocks));
            Vector256<byte> w = F.Load(b);
            s0 = Add(start, w, q, p + i, s0);
            t0 = Add(other, w, v, r + i, t0);
            w = F.Load(b + d1);
            s1 = Add(start, w, q, p + i + 1, s1);
            t1 = Add(other, w, v, r + i + 1, t1);
            w = F.Load(b + d2);
            s2 = Add(start, w, q, p + i + 2, s2);
            t2 = Add(other, w, v, r + i + 2, t2);
            w = F.Load(b + d3);
            s3 = Add(start, w, q, p + i + 3, s3);
            t3 = Add(other, w, v, r + i + 3, t3);
        }

        return (FourSums.Of(s0, s1, s2, s3), FourSums.Of(t0, t1, t2, t3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> First(byte* x) => F.Offset == 0 ? default : Vector256.Load((int*)(x + Starts));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Add(Vector256<int> start, Vector256<byte> w, Vector256<sbyte> x, float* scale, Vector256<float> sum) =>
        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(F.IsSigned ? D.Signed(start, w, x) : D.Unsigned(start, w, x)), All(scale), sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> All(float* value) => Avx.IsSupported ? Avx.BroadcastScalarToVector256(value) : Vector256.Create(*value);
}
