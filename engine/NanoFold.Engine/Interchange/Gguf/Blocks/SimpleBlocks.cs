using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace NanoFold.Engine.Interchange.Gguf.Blocks;

/// <summary>Blocks of 32 values with one scale, and a least value where the name ends in 1: x = d q or d q + m. Of a byte the low half is a value of the first 16.</summary>
internal static class SimpleBlocks
{
    private const int Half = 16;

    public static void Q4_0(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block);
        Vector128<byte> codes = Vector128.Create(block.Slice(2, Half));
        NibbleLanes.Scale(codes & Vector128.Create((byte)15), 8, d, values[..Half]);
        NibbleLanes.Scale(codes >>> 4, 8, d, values.Slice(Half, Half));
    }

    public static void Q4_1(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block), m = BlockType.Half(block[2..]);
        Vector128<byte> codes = Vector128.Create(block.Slice(4, Half));
        NibbleLanes.ScaleFrom(codes & Vector128.Create((byte)15), d, m, values[..Half]);
        NibbleLanes.ScaleFrom(codes >>> 4, d, m, values.Slice(Half, Half));
    }

    public static void Q5_0(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block);
        uint fifth = BinaryPrimitives.ReadUInt32LittleEndian(block[2..]);
        ReadOnlySpan<byte> codes = block.Slice(6, Half);
        for (int i = 0; i < codes.Length; i++)
        {
            values[i] = (((codes[i] & 15) | Fifth(fifth, i)) - 16) * d;
            values[i + Half] = (((codes[i] >> 4) | Fifth(fifth, i + Half)) - 16) * d;
        }
    }

    public static void Q5_1(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block), m = BlockType.Half(block[2..]);
        uint fifth = BinaryPrimitives.ReadUInt32LittleEndian(block[4..]);
        ReadOnlySpan<byte> codes = block.Slice(8, Half);
        for (int i = 0; i < codes.Length; i++)
        {
            values[i] = (((codes[i] & 15) | Fifth(fifth, i)) * d) + m;
            values[i + Half] = (((codes[i] >> 4) | Fifth(fifth, i + Half)) * d) + m;
        }
    }

    public static void Q8_0(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block);
        NibbleLanes.ScaleSigned(Vector128.Create(block.Slice(2, Half)).AsSByte(), d, values[..Half]);
        NibbleLanes.ScaleSigned(Vector128.Create(block.Slice(2 + Half, Half)).AsSByte(), d, values.Slice(Half, Half));
    }

    private static int Fifth(uint bits, int index) => (int)((bits >> index) & 1) << 4;
}
