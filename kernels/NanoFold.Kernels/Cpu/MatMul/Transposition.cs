using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>Lines whose k are adjacent, turned eight k at a time in AVX registers.</summary>
internal static unsafe class Transposition
{
    /// <summary>Lines that <see cref="Eights"/> takes.</summary>
    public const int Lines = 8;

    /// <summary>Eight lines into columns of a strip that is <paramref name="width"/> wide.</summary>
    public static void Eights(byte* source, nint line, int width, int depth, float* target)
    {
        for (; depth >= 8; depth -= 8, source += 8 * sizeof(float), target += 8 * width)
        {
            byte* low = source + 4 * line;
            var x = new Block(
                Vector256.Load((float*)source),
                Vector256.Load((float*)(source + line)),
                Vector256.Load((float*)(source + 2 * line)),
                Vector256.Load((float*)(source + 3 * line)),
                Vector256.Load((float*)low),
                Vector256.Load((float*)(low + line)),
                Vector256.Load((float*)(low + 2 * line)),
                Vector256.Load((float*)(low + 3 * line)));
            x.C0.Store(target);
            x.C1.Store(target + width);
            x.C2.Store(target + 2 * width);
            x.C3.Store(target + 3 * width);
            float* half = target + 4 * width;
            x.C4.Store(half);
            x.C5.Store(half + width);
            x.C6.Store(half + 2 * width);
            x.C7.Store(half + 3 * width);
        }

        Rest(source, line, 8, width, depth, target);
    }

    /// <summary>Six lines into a panel that is six wide.</summary>
    public static void Sixes(byte* source, nint line, int depth, float* target)
    {
        for (; depth >= 8; depth -= 8, source += 8 * sizeof(float), target += 48)
        {
            byte* low = source + 3 * line;
            var x = new Block(
                Vector256.Load((float*)source),
                Vector256.Load((float*)(source + line)),
                Vector256.Load((float*)(source + 2 * line)),
                Vector256.Load((float*)low),
                Vector256.Load((float*)(low + line)),
                Vector256.Load((float*)(low + 2 * line)),
                Vector256<float>.Zero,
                Vector256<float>.Zero);
            // Each store writes two zeros too many, which the next one overwrites.
            x.C0.Store(target);
            x.C1.Store(target + 6);
            x.C2.Store(target + 12);
            x.C3.Store(target + 18);
            x.C4.Store(target + 24);
            x.C5.Store(target + 30);
            x.C6.Store(target + 36);
            x.C7.GetLower().Store(target + 42);
            *(double*)(target + 46) = x.C7.GetUpper().AsDouble().ToScalar();
        }

        Rest(source, line, 6, 6, depth, target);
    }

    private static void Rest(byte* source, nint line, int lines, int width, int depth, float* target)
    {
        for (int k = 0; k < depth; k++)
        {
            for (int i = 0; i < lines; i++)
            {
                target[k * width + i] = *(float*)(source + i * line + k * sizeof(float));
            }
        }
    }

    /// <summary>The columns of eight rows.</summary>
    private readonly struct Block
    {
        public readonly Vector256<float> C0, C1, C2, C3, C4, C5, C6, C7;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Block(
            Vector256<float> r0, Vector256<float> r1, Vector256<float> r2, Vector256<float> r3,
            Vector256<float> r4, Vector256<float> r5, Vector256<float> r6, Vector256<float> r7)
        {
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
            C0 = Avx.Permute2x128(r0, r4, 0x20);
            C1 = Avx.Permute2x128(r1, r5, 0x20);
            C2 = Avx.Permute2x128(r2, r6, 0x20);
            C3 = Avx.Permute2x128(r3, r7, 0x20);
            C4 = Avx.Permute2x128(r0, r4, 0x31);
            C5 = Avx.Permute2x128(r1, r5, 0x31);
            C6 = Avx.Permute2x128(r2, r6, 0x31);
            C7 = Avx.Permute2x128(r3, r7, 0x31);
        }
    }
}
