using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu.Stored;

namespace NanoFold.Kernels;

/// <summary>Weights in the types of files (<see cref="Backend.ReadsWeights"/>) on the host: as floats and back.</summary>
public static unsafe class StoredValues
{
    private const int Values = DTypeExtensions.BlockValues, MostQ8 = 127;
    private const uint FloatExponent = 0x7F800000;
    private const ushort HalfExponent = 0x7C00, BFloatExponent = 0x7F80;

    /// <summary>Values of 16 bits, or of whole blocks, as floats. They are finite.</summary>
    /// <param name="type">Of 16 bits, or of blocks.</param>
    /// <param name="source">The bytes of as many values as <paramref name="target"/> has.</param>
    /// <param name="target">Gets them.</param>
    public static void Widen(DType type, ReadOnlySpan<byte> source, Span<float> target)
    {
        if (type.Bytes(target.Length) > source.Length)
        {
            throw new ArgumentException($"widen: {source.Length} bytes for {target.Length} values of {type}");
        }

        fixed (byte* from = source)
        fixed (float* to = target)
        {
            StoredRows.Widen(type, from, 0, target.Length, to);
        }
    }

    /// <summary>
    /// Floats rounded to the nearest value of 16 bits, or in whole blocks as ggml makes them: the largest of a block of <see cref="DType.Q8_0"/> is ±127, the others go away from 0 at
    /// halves.
    /// </summary>
    /// <param name="type">Of 16 bits, or <see cref="DType.Q8_0"/>.</param>
    /// <param name="source">Finite.</param>
    /// <param name="target">Gets the bytes.</param>
    /// <returns>False where a value is too large for the type.</returns>
    public static bool TryNarrow(DType type, ReadOnlySpan<float> source, Span<byte> target)
    {
        target = target[..(int)type.Bytes(source.Length)];
        Span<ushort> bits = MemoryMarshal.Cast<byte, ushort>(target);
        switch (type)
        {
            case DType.BFloat16:
                for (int i = 0; i < source.Length; i++)
                {
                    bits[i] = BFloat16.FromSingle(source[i]);
                }

                break;
            case DType.Float16:
                for (int i = 0; i < source.Length; i++)
                {
                    bits[i] = BitConverter.HalfToUInt16Bits((Half)source[i]);
                }

                break;
            case DType.Q8_0:
                for (int i = 0; i < source.Length; i += Values)
                {
                    NarrowBlock(source.Slice(i, Values), target[(int)type.Bytes(i)..]);
                }

                break;
            default:
                throw new ArgumentException($"narrow: values are not written as {type}");
        }

        return AreFinite(type, target);
    }

    /// <summary>Whether all values are finite: of blocks, their scales.</summary>
    /// <param name="type">A real type, but <see cref="DType.Float64"/>.</param>
    /// <param name="bytes">Whole values or blocks.</param>
    public static bool AreFinite(DType type, ReadOnlySpan<byte> bytes) => type switch
    {
        DType.Float32 => AreFinite(MemoryMarshal.Cast<byte, uint>(bytes), FloatExponent),
        DType.BFloat16 => AreFinite(MemoryMarshal.Cast<byte, ushort>(bytes), BFloatExponent),
        DType.Float16 => AreFinite(MemoryMarshal.Cast<byte, ushort>(bytes), HalfExponent),
        _ => ScalesAreFinite(type, bytes),
    };

    // The lower half of the first four bytes of a block, of Q4_1 both. Where an exponent has all its bits, a carry gets beyond it.
    private static bool ScalesAreFinite(DType type, ReadOnlySpan<byte> bytes)
    {
        uint exponents = type == DType.Q4_1 ? 0x7C007C00u : 0x7C00u, found = 0;
        int size = type.BlockBytes();
        for (; bytes.Length >= size; bytes = bytes[size..])
        {
            found |= (BinaryPrimitives.ReadUInt32LittleEndian(bytes) & exponents) + 0x04000400u;
        }

        return (found & 0x80008000u) == 0;
    }

    private static bool AreFinite<T>(ReadOnlySpan<T> bits, T exponent)
        where T : unmanaged, IBinaryInteger<T>
    {
        Vector<T> mask = Vector.Create(exponent);
        int i = 0;
        for (; i <= bits.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            if (Vector.EqualsAny(Vector.Create(bits[i..]) & mask, mask))
            {
                return false;
            }
        }

        for (; i < bits.Length; i++)
        {
            if ((bits[i] & exponent) == exponent)
            {
                return false;
            }
        }

        return true;
    }

    private static void NarrowBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        float most = 0;
        foreach (float value in values)
        {
            most = Math.Max(most, Math.Abs(value));
        }

        float scale = most / MostQ8, inverse = scale > 0 ? 1 / scale : 0;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)scale);
        for (int i = 0; i < Values; i++)
        {
            block[sizeof(ushort) + i] = (byte)(sbyte)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero);
        }
    }
}
