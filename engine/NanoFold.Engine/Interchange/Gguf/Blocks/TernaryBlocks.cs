namespace NanoFold.Engine.Interchange.Gguf.Blocks;

/// <summary>Values of −d, 0 and d, or of −d and d.</summary>
internal static class TernaryBlocks
{
    /// <summary>Five values a byte, as digits of a number to the base of 3 that is stretched over a byte: [48], then four a byte [4], d.</summary>
    public static void Tq1(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block[52..]);
        int at = Digits(block[..32], 5, d, values, 0);
        at = Digits(block.Slice(32, 16), 5, d, values, at);
        Digits(block.Slice(48, 4), 4, d, values, at);
    }

    /// <summary>Four values a byte [64], d.</summary>
    public static void Tq2(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block[64..]);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (((block[(i / 128 * 32) + (i % 32)] >> (i % 128 / 32 * 2)) & 3) - 1) * d;
        }
    }

    /// <summary>d, then a bit a value [16].</summary>
    public static void Q1(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = ((block[2 + (i / 8)] >> (i % 8)) & 1) != 0 ? d : -d;
        }
    }

    private static int Digits(ReadOnlySpan<byte> codes, int digits, float d, Span<float> values, int at)
    {
        for (int digit = 0, power = 1; digit < digits; digit++, power *= 3)
        {
            foreach (byte code in codes)
            {
                values[at++] = (((byte)(code * power) * 3 >> 8) - 1) * d;
            }
        }

        return at;
    }
}
