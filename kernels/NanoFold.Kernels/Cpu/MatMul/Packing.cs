using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// Copies parts of a and b into the order in which tiles read them: panels and strips hold a few lines (rows of a, columns of b)
/// side by side for each k. Strides in bytes.
/// </summary>
internal static unsafe class Packing
{
    /// <summary>A strip of the widest tiles.</summary>
    private const int WideBytes = 128;

    /// <summary>Whole panels or strips one after the other, each as in <see cref="Pack{T}"/>.</summary>
    public static void PackMany<T>(byte* source, nint lineStride, nint stepStride, int panels, int width, int depth, T* target)
        where T : unmanaged
    {
        if (lineStride == sizeof(T) && width * sizeof(T) is 24 or 64)
        {
            CopyMany(source, stepStride, panels, width * sizeof(T), depth, (byte*)target);
            return;
        }

        if (lineStride == sizeof(T) && width * sizeof(T) == WideBytes)
        {
            CopyWide(source, stepStride, panels, depth, (byte*)target);
            return;
        }

        for (int panel = 0; panel < panels; panel++)
        {
            Pack(source + panel * width * lineStride, lineStride, stepStride, width, width, depth, target + (nint)panel * depth * width);
        }
    }

    /// <summary>target[k, line] = source[line, k] for <paramref name="lines"/> lines, the rest up to <paramref name="width"/> zero.</summary>
    public static void Pack<T>(byte* source, nint lineStride, nint stepStride, int lines, int width, int depth, T* target)
        where T : unmanaged
    {
        if (lines < width)
        {
            new Span<T>(target, checked(width * depth)).Clear();
        }

        int done = 0;
        if (lineStride == sizeof(T))
        {
            if (lines * sizeof(T) % 32 == 0)
            {
                CopyVectors(source, stepStride, lines * sizeof(T), width * sizeof(T), depth, (byte*)target);
                return;
            }
        }
        else if (stepStride == sizeof(T) && sizeof(T) == sizeof(float) && Avx.IsSupported)
        {
            if (lines == 6 && width == 6)
            {
                Transposition.Sixes(source, lineStride, depth, (float*)target);
                return;
            }

            for (; done + 8 <= lines; done += 8)
            {
                Transposition.Eights(source + done * lineStride, lineStride, width, depth, (float*)target + done);
            }
        }

        for (int line = done; line < lines; line++)
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

    private static void CopyVectors(byte* source, nint stepStride, int bytes, int targetStride, int depth, byte* target)
    {
        for (; depth > 0; depth--)
        {
            for (int i = 0; i < bytes; i += 32)
            {
                Vector256.Load(source + i).Store(target + i);
            }

            source += stepStride;
            target += targetStride;
        }
    }

    /// <summary>
    /// Adjacent lines, 24 or 64 bytes of them per panel. They are taken four k at a time: neighboring panels share cache lines,
    /// which a power-of-two stride would push out of the first level before the next panel wants them.
    /// </summary>
    private static void CopyMany(byte* source, nint stepStride, int panels, int bytes, int depth, byte* target)
    {
        nint panelStride = (nint)depth * bytes;
        int k = 0;
        // The last k is left to the plain copy, see CopyFourSixes.
        for (; k + 4 < depth; k += 4)
        {
            byte* to = target;
            if (bytes == 64)
            {
                for (int panel = 0; panel < panels; panel++)
                {
                    CopyFour(source + panel * 64, stepStride, to);
                    to += panelStride;
                }
            }
            else
            {
                for (int panel = 0; panel < panels - 1; panel++)
                {
                    CopyFourSixes(source + panel * 24, stepStride, to);
                    to += panelStride;
                }

                Copy(source + (panels - 1) * 24, stepStride, 24, 4, to);
            }

            source += 4 * stepStride;
            target += 4 * bytes;
        }

        for (int panel = 0; panel < panels; panel++)
        {
            Copy(source + panel * bytes, stepStride, bytes, depth - k, target);
            target += panelStride;
        }
    }

    /// <summary>Panels of 128 bytes, four k of each at a time: so rows of the source are read from their beginning to their end.</summary>
    private static void CopyWide(byte* source, nint stepStride, int panels, int depth, byte* target)
    {
        nint panelStride = (nint)depth * WideBytes;
        int k = 0;
        for (; k + 4 <= depth; k += 4)
        {
            byte* from = source, to = target;
            for (int panel = 0; panel < panels; panel++)
            {
                CopyLine(from, to);
                CopyLine(from + stepStride, to + WideBytes);
                CopyLine(from + 2 * stepStride, to + 2 * WideBytes);
                CopyLine(from + 3 * stepStride, to + 3 * WideBytes);
                from += WideBytes;
                to += panelStride;
            }

            source += 4 * stepStride;
            target += 4 * WideBytes;
        }

        for (; k < depth; k++)
        {
            for (int panel = 0; panel < panels; panel++)
            {
                CopyLine(source + panel * WideBytes, target + panel * panelStride);
            }

            source += stepStride;
            target += WideBytes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyLine(byte* source, byte* target)
    {
        Vector512<byte> a = Vector512.Load(source), b = Vector512.Load(source + 64);
        a.Store(target);
        b.Store(target + 64);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyFour(byte* source, nint stride, byte* target)
    {
        byte* third = source + 2 * stride;
        Prefetch.Line(third + 2 * stride);
        Prefetch.Line(third + 3 * stride);
        Prefetch.Line(third + 4 * stride);
        Prefetch.Line(third + 5 * stride);
        Vector256<byte> a = Vector256.Load(source), b = Vector256.Load(source + 32);
        Vector256<byte> c = Vector256.Load(source + stride), d = Vector256.Load(source + stride + 32);
        a.Store(target);
        b.Store(target + 32);
        c.Store(target + 64);
        d.Store(target + 96);
        a = Vector256.Load(third);
        b = Vector256.Load(third + 32);
        c = Vector256.Load(third + stride);
        d = Vector256.Load(third + stride + 32);
        a.Store(target + 128);
        b.Store(target + 160);
        c.Store(target + 192);
        d.Store(target + 224);
    }

    /// <summary>Six floats of each of four k, as eight: more columns must follow, and a later k overwrites the two too many.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyFourSixes(byte* source, nint stride, byte* target)
    {
        byte* third = source + 2 * stride;
        Prefetch.Line(third + 2 * stride);
        Prefetch.Line(third + 3 * stride);
        Prefetch.Line(third + 4 * stride);
        Prefetch.Line(third + 5 * stride);
        Vector256<byte> a = Vector256.Load(source), b = Vector256.Load(source + stride);
        Vector256<byte> c = Vector256.Load(third), d = Vector256.Load(third + stride);
        a.Store(target);
        b.Store(target + 24);
        c.Store(target + 48);
        d.Store(target + 72);
    }

    private static void Copy(byte* source, nint stride, int bytes, int depth, byte* target)
    {
        for (; depth > 0; depth--)
        {
            for (int i = 0; i < bytes; i += 8)
            {
                *(long*)(target + i) = *(long*)(source + i);
            }

            source += stride;
            target += bytes;
        }
    }
}
