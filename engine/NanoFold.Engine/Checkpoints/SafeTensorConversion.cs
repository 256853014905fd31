using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using NanoFold.Kernels;

namespace NanoFold.Engine.Checkpoints;

/// <summary>Turns the little-endian elements of a safetensors file into numbers.</summary>
internal static class SafeTensorConversion
{
    /// <summary>Whether the bytes in the file are the elements as they are.</summary>
    public static bool IsStoredAs<T>(SafeTensorType type)
        where T : unmanaged
        => type switch
        {
            SafeTensorType.F32 => typeof(T) == typeof(float),
            SafeTensorType.F64 => typeof(T) == typeof(double),
            SafeTensorType.I64 => typeof(T) == typeof(long),
            SafeTensorType.I32 => typeof(T) == typeof(int),
            _ => false,
        };

    /// <summary>Converts elements; into a narrower integer type only where the values fit.</summary>
    /// <exception cref="OverflowException">An integer does not fit.</exception>
    public static void Convert<T>(SafeTensorType type, ReadOnlySpan<byte> bytes, Span<T> destination)
        where T : unmanaged, INumber<T>
    {
        if (typeof(T) == typeof(float) && type is (SafeTensorType.F16 or SafeTensorType.BF16))
        {
            Widen(type, bytes, MemoryMarshal.Cast<T, float>(destination));
            return;
        }

        switch (type)
        {
            case SafeTensorType.F64: ConvertFrom<double, T>(bytes, destination); break;
            case SafeTensorType.F32: ConvertFrom<float, T>(bytes, destination); break;
            case SafeTensorType.F16: ConvertFrom<Half, T>(bytes, destination); break;
            case SafeTensorType.BF16: ConvertFromBFloat16(bytes, destination); break;
            case SafeTensorType.I64: ConvertFrom<long, T>(bytes, destination); break;
            case SafeTensorType.I32: ConvertFrom<int, T>(bytes, destination); break;
            case SafeTensorType.I16: ConvertFrom<short, T>(bytes, destination); break;
            case SafeTensorType.I8: ConvertFrom<sbyte, T>(bytes, destination); break;
            default: ConvertFrom<byte, T>(bytes, destination); break;
        }
    }

    // 16 bits to 32, many at once: what most files of large models need.
    private static void Widen(SafeTensorType type, ReadOnlySpan<byte> bytes, Span<float> destination)
    {
        if (type == SafeTensorType.F16)
        {
            TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), destination);
            return;
        }

        ReadOnlySpan<ushort> stored = MemoryMarshal.Cast<byte, ushort>(bytes);
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination);
        int i = 0;
        for (; i <= stored.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(stored[i..]), out Vector<uint> low, out Vector<uint> high);
            Vector.ShiftLeft(low, 16).CopyTo(bits[i..]);
            Vector.ShiftLeft(high, 16).CopyTo(bits[(i + Vector<uint>.Count)..]);
        }

        for (; i < stored.Length; i++)
        {
            bits[i] = (uint)stored[i] << 16;
        }
    }

    private static void ConvertFrom<TStored, T>(ReadOnlySpan<byte> bytes, Span<T> destination)
        where TStored : unmanaged, INumber<TStored>
        where T : unmanaged, INumber<T>
    {
        ReadOnlySpan<TStored> stored = MemoryMarshal.Cast<byte, TStored>(bytes);
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = T.CreateChecked(stored[i]);
        }
    }

    private static void ConvertFromBFloat16<T>(ReadOnlySpan<byte> bytes, Span<T> destination)
        where T : unmanaged, INumber<T>
    {
        ReadOnlySpan<ushort> stored = MemoryMarshal.Cast<byte, ushort>(bytes);
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = T.CreateChecked(BFloat16.ToSingle(stored[i]));
        }
    }
}
