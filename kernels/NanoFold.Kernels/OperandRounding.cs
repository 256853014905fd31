namespace NanoFold.Kernels;

/// <summary>How far products of Float32 may round their operands; sums are in Float32 with each.</summary>
public enum OperandRounding
{
    None,

    /// <summary>To tf32 (10 bits of mantissa), where the device has that.</summary>
    TensorFloat32,

    /// <summary>To bfloat16 (7 bits of mantissa) where the device has that, else as <see cref="TensorFloat32"/>.</summary>
    BFloat16,
}
