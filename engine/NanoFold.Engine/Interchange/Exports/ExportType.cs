using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using NanoFold.Engine.Checkpoints;
using NanoFold.Kernels;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>What numbers are written as.</summary>
public enum ExportType
{
    /// <summary>32 bits.</summary>
    F32,

    /// <summary>16 bits, of which 5 are the exponent: up to 65,504.</summary>
    F16,

    /// <summary>The first 16 bits of 32.</summary>
    BF16,

    /// <summary>8 bits, with a scale for each 32.</summary>
    Q8_0,
}

/// <summary>Values in the bytes of a type, rounded to the nearest.</summary>
internal static class ExportTypes
{
    /// <summary>The type of safetensors.</summary>
    public static SafeTensorType Stored(this ExportType type) => type switch { ExportType.F16 => SafeTensorType.F16, ExportType.BF16 => SafeTensorType.BF16, _ => SafeTensorType.F32 };

    /// <summary>16-bit numbers, little-endian.</summary>
    /// <param name="type">Of 16 bits.</param>
    /// <param name="name">Of the tensor, for messages.</param>
    /// <param name="values">Finite.</param>
    /// <exception cref="UserException">A value is too large for the type.</exception>
    public static byte[] Halves(this ExportType type, string name, ReadOnlySpan<float> values)
    {
        byte[] bytes = new byte[values.Length * sizeof(ushort)];
        Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
        for (int i = 0; i < values.Length; i++)
        {
            halves[i] = type == ExportType.F16 ? BitConverter.HalfToUInt16Bits((Half)values[i]) : BFloat16.FromSingle(values[i]);
        }

        float most = values.IsEmpty ? 0 : TensorPrimitives.MaxMagnitude(values);
        return type == ExportType.BF16 || Half.IsFinite((Half)most) ? bytes
            : throw new UserException(string.Create(CultureInfo.InvariantCulture, $"'{name}' has values as large as {most}, more than f16 holds; write bf16 or f32"));
    }
}
