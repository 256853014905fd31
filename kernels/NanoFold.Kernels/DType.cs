namespace NanoFold.Kernels;

/// <summary>Element type of a tensor. Real tensors are <see cref="Float32"/>, or <see cref="Float64"/> where gradients are checked.</summary>
public enum DType
{
    Float32,
    Float64,
    Int32,
}

public static class DTypeExtensions
{
    /// <summary>Bytes per element.</summary>
    public static int Size(this DType type) => type == DType.Float64 ? 8 : 4;
}
