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

    /// <summary>Blocks of 32 values q · d, of ggml: d in half precision, then each q in 8 bits with a sign. Only of weights, see <see cref="Backend.ReadsWeights"/>.</summary>
    Q8_0,

    /// <summary>Blocks of 32 values (q − 8) · d, of ggml: d in half precision, then each q in 4 bits, the first 16 in the low halves of the bytes. Only of weights.</summary>
    Q4_0,

    /// <summary>Blocks of 32 values q · d + m, of ggml: d and m in half precision, then each q in 4 bits, the first 16 in the low halves of the bytes. Only of weights.</summary>
    Q4_1,
}

public static class DTypeExtensions
{
    /// <summary>Values that every type of blocks has in one.</summary>
    public const int BlockValues = 32;

    /// <summary>Bytes per element; of types whose elements do not lie in blocks.</summary>
    public static int Size(this DType type) => type switch
    {
        DType.Float64 => 8,
        DType.BFloat16 or DType.Float16 => 2,
        _ => 4,
    };

    /// <summary>Whether elements lie in blocks of <see cref="BlockValues"/>, with scales of their own.</summary>
    public static bool IsBlocks(this DType type) => type >= DType.Q8_0;

    /// <summary>Bytes of some elements: of blocks a whole number of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Bytes(this DType type, long elements) => type.IsBlocks() ? elements / BlockValues * type.BlockBytes() : elements * type.Size();

    /// <summary>Bytes of a block.</summary>
    public static int BlockBytes(this DType type) => type switch
    {
        DType.Q8_0 => 34,
        DType.Q4_0 => 18,
        DType.Q4_1 => 20,
        _ => type.Size(),
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
