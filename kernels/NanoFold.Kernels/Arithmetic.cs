namespace NanoFold.Kernels;

/// <summary>What a recording computes in. A type alone is one whose products round no operands.</summary>
/// <param name="Type">Real type of activations; what sums over them has <see cref="DTypeExtensions.Sum"/>.</param>
/// <param name="Rounding">How far products of Float32 may round their operands.</param>
public readonly record struct Arithmetic(DType Type, OperandRounding Rounding = OperandRounding.None)
{
    public static implicit operator Arithmetic(DType type) => new(type);
}

/// <summary>How far products of Float32 may round their operands; sums are in Float32 with each.</summary>
public enum OperandRounding
{
    None,

    /// <summary>To tf32 (10 bits of mantissa), where the device has that.</summary>
    TensorFloat32,

    /// <summary>To bfloat16 (7 bits of mantissa) where the device has that, else as <see cref="TensorFloat32"/>.</summary>
    BFloat16,
}
