namespace NanoFold.Kernels;

/// <summary>
/// Philox 4x32-10: a counter-based random number generator. Four 32-bit words are a pure function of a 64-bit key and
/// a 128-bit counter, so any element of a random stream can be computed on its own, in any order, on any device.
/// </summary>
/// <remarks>
/// One round maps (c0, c1, c2, c3) to (hi(M1·c2) ⊕ c1 ⊕ k0, lo(M1·c2), hi(M0·c0) ⊕ c3 ⊕ k1, lo(M0·c0)); between the
/// ten rounds the key words grow by the Weyl constants W0 and W1. Source: Salmon, Moraes, Dror, Shaw, "Parallel random
/// numbers: as easy as 1, 2, 3" (SC 2011); the known-answer vectors of Random123 are in the tests.
/// </remarks>
public static class Philox
{
    private const uint M0 = 0xD2511F53;
    private const uint M1 = 0xCD9E8D57;
    private const uint W0 = 0x9E3779B9;
    private const uint W1 = 0xBB67AE85;
    private const int Rounds = 10;

    /// <summary>The four random words at counter (<paramref name="counterLow"/>, <paramref name="counterHigh"/>) under <paramref name="key"/>.</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Next(ulong key, ulong counterLow, ulong counterHigh)
    {
        uint c0 = (uint)counterLow;
        uint c1 = (uint)(counterLow >> 32);
        uint c2 = (uint)counterHigh;
        uint c3 = (uint)(counterHigh >> 32);
        uint k0 = (uint)key;
        uint k1 = (uint)(key >> 32);
        for (int round = 0; round < Rounds; round++)
        {
            ulong p0 = (ulong)M0 * c0;
            ulong p1 = (ulong)M1 * c2;
            c0 = (uint)(p1 >> 32) ^ c1 ^ k0;
            c1 = (uint)p1;
            c2 = (uint)(p0 >> 32) ^ c3 ^ k1;
            c3 = (uint)p0;
            k0 += W0;
            k1 += W1;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>
    /// A whole number in [0, <paramref name="range"/>): the high half of 64 random bits times the range, whose bias is
    /// below range / 2⁶⁴.
    /// </summary>
    public static ulong Below(ulong range, ulong key, ulong counterLow, ulong counterHigh)
    {
        (uint low, uint high, _, _) = Next(key, counterLow, counterHigh);
        return Math.BigMul(((ulong)high << 32) | low, range, out _);
    }
}

/// <summary>
/// How dropout draws on every device: element i is kept when word i mod 4 of Philox(key, i / 4, 0) is at least <see cref="Threshold"/>,
/// with a key of its own for each (random key, step, micro-batch, stream).
/// </summary>
public static class DropoutRandom
{
    public static ulong Key(ulong randomKey, long step, long microBatch, int stream)
    {
        (uint low, uint high, _, _) = Philox.Next(randomKey, (ulong)step, ((ulong)microBatch << 32) | (uint)stream);
        return ((ulong)high << 32) | low;
    }

    /// <summary>rate · 2³², for rates in [0, 1).</summary>
    public static uint Threshold(double rate) => (uint)(rate * 4294967296.0);
}
