namespace NanoFold.Kernels;

/// <summary>What a recording computes in. A type alone is one whose products are not rounded to tf32.</summary>
/// <param name="Type">Real type of activations; what sums over them has <see cref="DTypeExtensions.Sum"/>.</param>
/// <param name="AllowsTensorFloat32">Whether products of Float32 may round their operands to tf32, see <see cref="MatMulArgs.AllowsTensorFloat32"/>.</param>
public readonly record struct Arithmetic(DType Type, bool AllowsTensorFloat32 = false)
{
    public static implicit operator Arithmetic(DType type) => new(type);
}
