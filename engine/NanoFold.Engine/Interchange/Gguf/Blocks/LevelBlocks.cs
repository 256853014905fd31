using System.Buffers.Binary;

namespace NanoFold.Engine.Interchange.Gguf.Blocks;

/// <summary>Codes of 4 bits that name one of 16 levels, which do not lie evenly: d ℓ(q).</summary>
internal static class LevelBlocks
{
    private const int Half = 16;

    private static ReadOnlySpan<sbyte> Levels => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    // The numbers of four bits with two of exponent and one of mantissa, doubled.
    private static ReadOnlySpan<sbyte> Fp4 => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    public static void Iq4Nl(ReadOnlySpan<byte> block, Span<float> values) => Of(block.Slice(2, Half), Levels, BlockType.Half(block), values);

    /// <summary>d, high bits of scales [2], low bits [4], codes [128].</summary>
    public static void Iq4Xs(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block);
        int high = BinaryPrimitives.ReadUInt16LittleEndian(block[2..]);
        for (int i = 0; i < 8; i++)
        {
            int scale = ((block[4 + (i / 2)] >> (i % 2 * 4)) & 15) | (((high >> (2 * i)) & 3) << 4);
            Of(block.Slice(8 + (i * Half), Half), Levels, d * (scale - 32), values.Slice(i * 2 * Half, 2 * Half));
        }
    }

    /// <summary>An exponent, for a power of two, then codes [16].</summary>
    public static void Mxfp4(ReadOnlySpan<byte> block, Span<float> values)
    {
        // Half of 2^(e − 127), for the levels are doubled.
        float d = BitConverter.UInt32BitsToSingle(block[0] < 2 ? 0x00200000u << block[0] : (uint)(block[0] - 1) << 23);
        Of(block.Slice(1, Half), Fp4, d, values);
    }

    /// <summary>Four scales of 8 bits (4 of exponent, 3 of mantissa), then codes [32]; each scale is of 16 values.</summary>
    public static void Nvfp4(ReadOnlySpan<byte> block, Span<float> values)
    {
        for (int i = 0; i < 4; i++)
        {
            Of(block.Slice(4 + (i * Half / 2), Half / 2), Fp4, HalfOfFp8(block[i]), values.Slice(i * Half, Half));
        }
    }

    private static void Of(ReadOnlySpan<byte> codes, ReadOnlySpan<sbyte> levels, float d, Span<float> values)
    {
        for (int i = 0; i < codes.Length; i++)
        {
            values[i] = d * levels[codes[i] & 15];
            values[i + codes.Length] = d * levels[codes[i] >> 4];
        }
    }

    private static float HalfOfFp8(byte code)
    {
        if (code is 0 or 0x7F)
        {
            return 0;
        }

        int exponent = (code >> 3) & 15, mantissa = code & 7;
        float value = exponent == 0 ? mantissa * MathF.ScaleB(1, -9) : (1 + (mantissa / 8f)) * MathF.ScaleB(1, exponent - 7);
        return value / 2;
    }
}
