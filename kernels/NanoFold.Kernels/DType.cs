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
