namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>
/// Where wgmma finds the elements (16 bits) of an operand, by the canonical layouts of the PTX manual ("Matrix descriptor format", "Strides"): 64 bits of which 0–13 are the
/// address, 16–29 the leading, 32–45 the stride byte offset, each over 16, 49–51 a base offset, 62–63 the swizzle (0 none, 1 of 128, 2 of 64, 3 of 32 bytes).
/// </summary>
internal readonly record struct MatrixDescriptor(ulong Bits)
{
    private int Start => (int)(Bits & 0x3fff) << 4;

    private int Leading => (int)(Bits >> 16 & 0x3fff) << 4;

    private int Stride => (int)(Bits >> 32 & 0x3fff) << 4;

    /// <summary>Bytes of a row of an atom.</summary>
    private int Width => (int)(Bits >> 62) switch
    {
        0 => 16,
        1 => 128,
        2 => 64,
        _ => 32,
    };

    /// <summary>Addresses of elements [m or n, 16 of k]; K-major where rows lie along k, else MN-major.</summary>
    public int[] Addresses(int count, bool isMnMajor)
    {
        if ((Bits >> 49 & 7) != 0)
        {
            throw new NotSupportedException("a base offset");
        }

        var addresses = new int[16 * count];
        for (int mn = 0; mn < count; mn++)
        {
            for (int k = 0; k < 16; k++)
            {
                addresses[16 * mn + k] = Swizzle(Start + (isMnMajor ? MnMajor(mn, k) : KMajor(mn, k)));
            }
        }

        return addresses;
    }

    // Rows of m or n in atoms of eight; 16 bytes of k wide, the other half of k is the leading offset away, else it lies in the same row.
    private int KMajor(int mn, int k) => mn % 8 * Width + mn / 8 * Stride + (Width == 16 ? k / 8 * Leading + 2 * (k % 8) : 2 * k);

    // Steps of k in atoms of eight; without swizzle the two offsets change roles.
    private int MnMajor(int mn, int k)
    {
        int elements = Width / 2;
        (int next, int deeper) = Width == 16 ? (Stride, Leading) : (Leading, Stride);
        return 2 * (mn % elements) + mn / elements * next + k % 8 * Width + k / 8 * deeper;
    }

    // The chunk's number in a row is crossed with bits from 7 on: as many as rows have chunks.
    private int Swizzle(int address) => address ^ (address >> 3 & (Width - 16));
}
