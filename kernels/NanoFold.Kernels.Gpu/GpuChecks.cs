namespace NanoFold.Kernels.Gpu;

/// <summary>What a GPU asks of its views beyond what every backend does.</summary>
internal static class GpuChecks
{
    /// <summary>Double precision is for gradient checks on the CPU.</summary>
    public static void NotDouble(string op, in View x)
    {
        if (x.Type == DType.Float64)
        {
            Checks.Throw(op, $"{x} on a GPU, expected Float32 or 16 bits");
        }
    }
}
