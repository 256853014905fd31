using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace NanoFold.Engine.Interchange.Gguf.Blocks;

/// <summary>Values in blocks as ggml makes them.</summary>
internal static class BlockWriter
{
    private const int Values = 32, Bytes = sizeof(ushort) + Values, Levels = 127;

    /// <summary>32-bit numbers.</summary>
    public static byte[] F32(ReadOnlySpan<float> values) => MemoryMarshal.AsBytes(values).ToArray();

    /// <summary>Blocks of 32 with a scale of 16 bits: the largest of them is ±127, the others are rounded away from 0 at halves.</summary>
    /// <param name="values">A multiple of 32.</param>
    public static byte[] Q8_0(ReadOnlySpan<float> values)
    {
        var blocks = new byte[values.Length / Values * Bytes];
        for (int block = 0; block < values.Length / Values; block++)
        {
            ReadOnlySpan<float> from = values.Slice(block * Values, Values);
            Span<byte> to = blocks.AsSpan(block * Bytes, Bytes);
            float scale = Math.Abs(TensorPrimitives.MaxMagnitude(from)) / Levels, inverse = scale > 0 ? 1 / scale : 0;
            BinaryPrimitives.WriteHalfLittleEndian(to, (Half)scale);
            for (int i = 0; i < Values; i++)
            {
                to[sizeof(ushort) + i] = (byte)(sbyte)MathF.Round(from[i] * inverse, MidpointRounding.AwayFromZero);
            }
        }

        return blocks;
    }
}
