using System.Runtime.CompilerServices;

namespace NanoFold.Kernels;

/// <summary>
/// Element type of a tensor. Real tensors are <see cref="Float32"/>, activations also of 16 bits, or <see cref="Float64"/> where gradients are checked.
/// </summary>
public enum DType
{
    Float32,
    Float64,
    Int32,

    /// <summary>8 bits of exponent as in <see cref="Float32"/>, 7 of mantissa.</summary>
    BFloat16,

    /// <summary>5 bits of exponent, 10 of mantissa: IEEE half precision.</summary>
    Float16,
}

public static class DTypeExtensions
{
    /// <summary>Bytes per element.</summary>
    public static int Size(this DType type) => type switch
    {
        DType.Float64 => 8,
        DType.BFloat16 or DType.Float16 => 2,
        _ => 4,
    };

    public static bool IsReal(this DType type) => type != DType.Int32;

    public static bool Is16Bit(this DType type) => type is DType.BFloat16 or DType.Float16;

    /// <summary>The type that sums over elements of this type have: 16 bits are summed in <see cref="DType.Float32"/>, others in their own type.</summary>
    public static DType Sum(this DType type) => type.Is16Bit() ? DType.Float32 : type;
}

/// <summary>Bits of bfloat16: the upper half of a float.</summary>
public static class BFloat16
{
    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>Rounds to nearest, ties to even; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value)
            ? (ushort)(bits >> 16 | 0x40)
            : (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}
