using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// Copies parts of a and b into the order in which tiles read them: panels and strips hold a few lines (rows of a, columns of b)
/// side by side for each k. Strides in bytes.
/// </summary>
internal static unsafe class Packing
{
    private const int StepsAtOnce = 8;

    /// <summary>Whole panels or strips one behind the other, each as in <see cref="Pack{T}"/>.</summary>
    public static void PackMany<T>(byte* source, nint lineStride, nint stepStride, int panels, int width, int depth, T* target)
        where T : unmanaged
    {
        if (lineStride == sizeof(T) && width * sizeof(T) is 24 or 64)
        {
            CopyMany(source, stepStride, panels, width * sizeof(T), depth, (byte*)target);
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
    /// Adjacent lines, 24 or 64 bytes of them per panel. They are taken a few k at a time: neighbouring panels share cache lines,
    /// which a power-of-two stride would push out of the first level before the next panel wants them.
    /// </summary>
    private static void CopyMany(byte* source, nint stepStride, int panels, int bytes, int depth, byte* target)
    {
        for (int k = 0; k < depth; k += StepsAtOnce)
        {
            int steps = Math.Min(StepsAtOnce, depth - k);
            byte* start = source + k * stepStride;
            byte* startTo = target + k * bytes;
            for (int panel = 0; panel < panels; panel++)
            {
                byte* from = start;
                byte* to = startTo;
                if (bytes == 64)
                {
                    for (int i = steps; i > 0; i--)
                    {
                        Vector256<byte> head = Vector256.Load(from), tail = Vector256.Load(from + 32);
                        head.Store(to);
                        tail.Store(to + 32);
                        from += stepStride;
                        to += 64;
                    }
                }
                else
                {
                    // 32 bytes where more columns follow: the next k overwrites what is too much, so not for the last.
                    int i = panel + 1 < panels ? k + steps < depth ? steps : steps - 1 : 0;
                    for (int wide = i; wide > 0; wide--)
                    {
                        Vector256.Load(from).Store(to);
                        from += stepStride;
                        to += 24;
                    }

                    for (; i < steps; i++)
                    {
                        Vector128<byte> head = Vector128.Load(from);
                        long tail = *(long*)(from + 16);
                        head.Store(to);
                        *(long*)(to + 16) = tail;
                        from += stepStride;
                        to += 24;
                    }
                }

                start += bytes;
                startTo += (nint)depth * bytes;
            }
        }
    }
}
