namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>Types of elements in a device's memory.</summary>
internal enum GpuType
{
    Float32,
    BFloat16,
    Float16,
}

internal static class GpuTypes
{
    /// <summary>Bytes of an element.</summary>
    public static int Size(this GpuType type) => type == GpuType.Float32 ? 4 : 2;
}
