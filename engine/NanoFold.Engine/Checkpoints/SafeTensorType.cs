using NanoFold.Kernels;

namespace NanoFold.Engine.Checkpoints;

/// <summary>Element type of a tensor in a safetensors file, named as the format names it.</summary>
public enum SafeTensorType
{
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

public static class SafeTensorTypeExtensions
{
    private static readonly string[] s_names = [.. Enum.GetNames<SafeTensorType>().Select(name => name.ToUpperInvariant())];

    /// <summary>Bytes per element.</summary>
    public static int Size(this SafeTensorType type) => type switch
    {
        SafeTensorType.F64 or SafeTensorType.I64 => 8,
        SafeTensorType.F32 or SafeTensorType.I32 => 4,
        SafeTensorType.F16 or SafeTensorType.BF16 or SafeTensorType.I16 => 2,
        _ => 1,
    };

    /// <summary>The same type of tensors in memory, of a real one.</summary>
    public static DType OfTensors(this SafeTensorType type) => type switch
    {
        SafeTensorType.F64 => DType.Float64,
        SafeTensorType.F32 => DType.Float32,
        SafeTensorType.F16 => DType.Float16,
        SafeTensorType.BF16 => DType.BFloat16,
        _ => throw new ArgumentException($"safetensors: {type} is no type of real numbers"),
    };

    /// <summary>The name in the file's header, such as <c>BF16</c>.</summary>
    public static string FormatName(this SafeTensorType type) => s_names[(int)type];

    /// <summary>Finds the type of that name in a file's header.</summary>
    public static bool TryParse(string? name, out SafeTensorType type)
    {
        int index = Array.IndexOf(s_names, name);
        type = (SafeTensorType)Math.Max(index, 0);
        return index >= 0;
    }
}
