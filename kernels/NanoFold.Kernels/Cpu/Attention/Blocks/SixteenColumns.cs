using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>Sixteen rows that lie evenly become columns of one vector each: 16 × 4 blocks transposed in registers.</summary>
internal static unsafe class SixteenColumns
{
    /// <param name="source">The first row.</param>
    /// <param name="row">Elements between rows.</param>
    /// <param name="depth">Elements of a row.</param>
    /// <param name="target">[depth, 16], <paramref name="width"/> elements apart.</param>
    public static void Transpose(float* source, nint row, int depth, float* target, nint width, float scale)
    {
        Vector512<float> factor = Vector512.Create(scale);
        float* p0 = source, p1 = source + row, p2 = p1 + row, p3 = p2 + row;
        nint k = 0;
        for (; k + 4 <= depth; k += 4)
        {
            // Every fourth row side by side, so that the two unpacking steps stay inside 128-bit quarters.
            Vector512<float> x0 = Quarters(p0 + k, 4 * row) * factor, x1 = Quarters(p1 + k, 4 * row) * factor;
            Vector512<float> x2 = Quarters(p2 + k, 4 * row) * factor, x3 = Quarters(p3 + k, 4 * row) * factor;
            Vector512<float> low02 = Avx512F.UnpackLow(x0, x2), high02 = Avx512F.UnpackHigh(x0, x2);
            Vector512<float> low13 = Avx512F.UnpackLow(x1, x3), high13 = Avx512F.UnpackHigh(x1, x3);
            float* to = target + k * width;
            Avx512F.UnpackLow(low02, low13).Store(to);
            Avx512F.UnpackHigh(low02, low13).Store(to + width);
            Avx512F.UnpackLow(high02, high13).Store(to + 2 * width);
            Avx512F.UnpackHigh(high02, high13).Store(to + 3 * width);
        }

        for (; k < depth; k++)
        {
            for (nint i = 0; i < 16; i++)
            {
                target[k * width + i] = source[i * row + k] * scale;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(float* at, nint step)
    {
        Vector256<float> low = Avx.InsertVector128(Vector128.Load(at).ToVector256Unsafe(), Vector128.Load(at + step), 1);
        Vector256<float> high = Avx.InsertVector128(Vector128.Load(at + 2 * step).ToVector256Unsafe(), Vector128.Load(at + 3 * step), 1);
        return Avx512F.InsertVector256(low.ToVector512Unsafe().AsSingle(), high, 1);
    }
}
