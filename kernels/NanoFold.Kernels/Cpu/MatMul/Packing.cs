using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>Copies parts of a and b into the order in which the micro-kernel reads them. Strides in bytes.</summary>
internal static unsafe class Packing
{
    /// <summary>
    /// target[k, line] = source[line, k] for <paramref name="lines"/> lines, the rest up to <paramref name="width"/> zero:
    /// a panel of a (lines are rows) or a strip of b (lines are columns).
    /// </summary>
    public static void Pack<T>(byte* source, nint lineStride, nint stepStride, int lines, int width, int depth, T* target)
        where T : unmanaged
    {
        if (lines < width)
        {
            new Span<T>(target, checked(width * depth)).Clear();
        }

        if (lineStride == sizeof(T))
        {
            CopyRows(source, stepStride, lines, width, depth, target);
        }
        else if (stepStride == sizeof(T) && sizeof(T) == sizeof(float) && Avx.IsSupported && lines >= 8)
        {
            int done = TransposeEights(source, lineStride, lines / 8, width, depth, (float*)target);
            Gather(source, lineStride, stepStride, done, lines, width, depth, target);
        }
        else
        {
            Gather(source, lineStride, stepStride, 0, lines, width, depth, target);
        }
    }

    private static void Gather<T>(byte* source, nint lineStride, nint stepStride, int first, int lines, int width, int depth, T* target)
        where T : unmanaged
    {
        for (int line = first; line < lines; line++)
        {
            byte* from = source + line * lineStride;
            T* to = target + line;
            for (int k = 0; k < depth; k++)
            {
                *to = *(T*)from;
                from += stepStride;
                to += width;
            }
        }
    }

    private static void CopyRows<T>(byte* source, nint stepStride, int lines, int width, int depth, T* target)
        where T : unmanaged
    {
        int bytes = lines * sizeof(T);
        if (bytes == 24)
        {
            for (int k = 0; k < depth; k++, source += stepStride, target += width)
            {
                Vector128<byte> head = Vector128.Load(source);
                long tail = *(long*)(source + 16);
                head.Store((byte*)target);
                *(long*)((byte*)target + 16) = tail;
            }
        }
        else if (bytes % 32 == 0)
        {
            for (int k = 0; k < depth; k++, source += stepStride, target += width)
            {
                for (int i = 0; i < bytes; i += 32)
                {
                    Vector256.Load(source + i).Store((byte*)target + i);
                }
            }
        }
        else
        {
            for (int k = 0; k < depth; k++, source += stepStride, target += width)
            {
                Unsafe.CopyBlockUnaligned(target, source, (uint)bytes);
            }
        }
    }

    /// <summary>Transposes groups of eight lines, eight k at a time in registers; returns the lines done.</summary>
    private static int TransposeEights(byte* source, nint lineStride, int groups, int width, int depth, float* target)
    {
        int whole = depth & ~7;
        for (int group = 0; group < groups; group++)
        {
            byte* from = source + 8 * group * lineStride;
            float* to = target + 8 * group;
            for (int k = 0; k < whole; k += 8, from += 8 * sizeof(float), to += 8 * width)
            {
                Transpose8(from, lineStride, to, width);
            }

            Gather(from, lineStride, sizeof(float), 0, 8, width, depth - whole, to);
        }

        return 8 * groups;
    }

    private static void Transpose8(byte* source, nint line, float* target, int width)
    {
        Vector256<float> r0 = Vector256.Load((float*)source);
        Vector256<float> r1 = Vector256.Load((float*)(source + line));
        Vector256<float> r2 = Vector256.Load((float*)(source + 2 * line));
        Vector256<float> r3 = Vector256.Load((float*)(source + 3 * line));
        source += 4 * line;
        Vector256<float> r4 = Vector256.Load((float*)source);
        Vector256<float> r5 = Vector256.Load((float*)(source + line));
        Vector256<float> r6 = Vector256.Load((float*)(source + 2 * line));
        Vector256<float> r7 = Vector256.Load((float*)(source + 3 * line));

        // Pairs of rows interleave, then pairs of pairs; the 128-bit halves are exchanged last.
        Vector256<float> p0 = Avx.UnpackLow(r0, r1), p1 = Avx.UnpackHigh(r0, r1);
        Vector256<float> p2 = Avx.UnpackLow(r2, r3), p3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> p4 = Avx.UnpackLow(r4, r5), p5 = Avx.UnpackHigh(r4, r5);
        Vector256<float> p6 = Avx.UnpackLow(r6, r7), p7 = Avx.UnpackHigh(r6, r7);
        r0 = Avx.Shuffle(p0, p2, 0x44);
        r1 = Avx.Shuffle(p0, p2, 0xee);
        r2 = Avx.Shuffle(p1, p3, 0x44);
        r3 = Avx.Shuffle(p1, p3, 0xee);
        r4 = Avx.Shuffle(p4, p6, 0x44);
        r5 = Avx.Shuffle(p4, p6, 0xee);
        r6 = Avx.Shuffle(p5, p7, 0x44);
        r7 = Avx.Shuffle(p5, p7, 0xee);
        Avx.Permute2x128(r0, r4, 0x20).Store(target);
        Avx.Permute2x128(r1, r5, 0x20).Store(target + width);
        Avx.Permute2x128(r2, r6, 0x20).Store(target + 2 * width);
        Avx.Permute2x128(r3, r7, 0x20).Store(target + 3 * width);
        target += 4 * width;
        Avx.Permute2x128(r0, r4, 0x31).Store(target);
        Avx.Permute2x128(r1, r5, 0x31).Store(target + width);
        Avx.Permute2x128(r2, r6, 0x31).Store(target + 2 * width);
        Avx.Permute2x128(r3, r7, 0x31).Store(target + 3 * width);
    }
}
