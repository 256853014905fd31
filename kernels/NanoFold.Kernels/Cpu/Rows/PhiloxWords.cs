using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.Rows;

/// <summary>Random words by the block: eight counters side by side where the machine multiplies 32 × 32 bits in vectors, the same words one by one where not.</summary>
internal static unsafe class PhiloxWords
{
    /// <summary>Words of one call, those of eight counters.</summary>
    public const int Count = 32;

    private const uint M0 = 0xD2511F53;
    private const uint M1 = 0xCD9E8D57;
    private const uint W0 = 0x9E3779B9;
    private const uint W1 = 0xBB67AE85;
    private const int Rounds = 10;

    /// <summary>The four words of counters <paramref name="counter"/> … + 7, in that order; the counter is a multiple of 8.</summary>
    public static void Next(ulong key, ulong counter, uint* words)
    {
        if (Avx2.IsSupported)
        {
            NextAvx2(key, counter, words);
            return;
        }

        for (uint i = 0; i < 8; i++)
        {
            (words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]) = Philox.Next(key, counter + i, 0);
        }
    }

    private static void NextAvx2(ulong key, ulong counter, uint* words)
    {
        // As the counter is a multiple of 8, adding the lane's index does not carry.
        Vector256<uint> c0 = Vector256.Create((uint)counter) + Vector256<uint>.Indices, c1 = Vector256.Create((uint)(counter >> 32));
        Vector256<uint> c2 = Vector256<uint>.Zero, c3 = c2, m0 = Vector256.Create(M0), m1 = Vector256.Create(M1);
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        for (int round = 0; round < Rounds; round++)
        {
            Vector256<uint> high0 = Multiply(c0, m0, out Vector256<uint> low0), high1 = Multiply(c2, m1, out Vector256<uint> low1);
            c0 = high1 ^ c1 ^ Vector256.Create(k0);
            c1 = low1;
            c2 = high0 ^ c3 ^ Vector256.Create(k1);
            c3 = low0;
            k0 += W0;
            k1 += W1;
        }

        // From word by counter to counter by word: within 128 bits by interleaving, then halves.
        Vector256<ulong> a = Avx2.UnpackLow(c0, c1).AsUInt64(), b = Avx2.UnpackHigh(c0, c1).AsUInt64();
        Vector256<ulong> c = Avx2.UnpackLow(c2, c3).AsUInt64(), d = Avx2.UnpackHigh(c2, c3).AsUInt64();
        Vector256<uint> of04 = Avx2.UnpackLow(a, c).AsUInt32(), of15 = Avx2.UnpackHigh(a, c).AsUInt32();
        Vector256<uint> of26 = Avx2.UnpackLow(b, d).AsUInt32(), of37 = Avx2.UnpackHigh(b, d).AsUInt32();
        Avx2.Permute2x128(of04, of15, 0x20).Store(words);
        Avx2.Permute2x128(of26, of37, 0x20).Store(words + 8);
        Avx2.Permute2x128(of04, of15, 0x31).Store(words + 16);
        Avx2.Permute2x128(of26, of37, 0x31).Store(words + 24);
    }

    private static Vector256<uint> Multiply(Vector256<uint> a, Vector256<uint> b, out Vector256<uint> low)
    {
        Vector256<ulong> even = Avx2.Multiply(a, b), odd = Avx2.Multiply((a.AsUInt64() >> 32).AsUInt32(), b);
        low = Avx2.Blend(even.AsUInt32(), (odd << 32).AsUInt32(), 0xAA);
        return Avx2.Blend((even >> 32).AsUInt32(), odd.AsUInt32(), 0xAA);
    }
}
