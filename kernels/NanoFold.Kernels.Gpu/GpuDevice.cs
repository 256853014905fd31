namespace NanoFold.Kernels.Gpu;

/// <summary>A GPU, or another device of its interfaces, that the system shows.</summary>
/// <param name="Kind"><c>cuda</c> or <c>opencl</c>.</param>
/// <param name="Name">As the driver gives it.</param>
/// <param name="MemoryBytes">Of its own.</param>
/// <param name="Driver">The driver's version, or the OpenCL platform.</param>
/// <param name="Abilities">What it can do beyond computing in single precision, in a few words each.</param>
/// <param name="Reason">Why it cannot be used and what to do; null where it can.</param>
/// <param name="IsDiscreteGpu">A GPU with memory of its own: what <c>--device auto</c> takes.</param>
public sealed record GpuDevice(string Kind, string Name, long MemoryBytes, string Driver, IReadOnlyList<string> Abilities, string? Reason, bool IsDiscreteGpu)
{
    public bool IsUsable => Reason is null;
}
