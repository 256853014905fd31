using System.Numerics;
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
