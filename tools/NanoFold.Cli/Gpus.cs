using NanoFold.Kernels;
#if GPU
using NanoFold.Kernels.Gpu;
#endif

namespace NanoFold.Cli;

/// <summary>What a GPU is to the command line: a name, and why it cannot be used.</summary>
/// <param name="Kind"><c>cuda</c> or <c>opencl</c>.</param>
/// <param name="Name">As its driver gives it.</param>
/// <param name="MemoryBytes">Of its own.</param>
/// <param name="Driver">Version or platform.</param>
/// <param name="Abilities">What it can do.</param>
/// <param name="Reason">Why it cannot be used; null where it can.</param>
internal sealed record Gpu(string Kind, string Name, long MemoryBytes, string Driver, IReadOnlyList<string> Abilities, string? Reason);

/// <summary>The GPUs, in a build with the GPU backend; without it there are none, and it says so.</summary>
internal static class Gpus
{
#if GPU
    public static IReadOnlyList<Gpu> List() =>
        [.. GpuDevices.List().Select(d => new Gpu(d.Kind, d.Name, d.MemoryBytes, d.Driver, d.Abilities, d.Reason))];

    /// <summary>What <c>auto</c> takes, or null.</summary>
    public static string? Preferred() => GpuDevices.List().FirstOrDefault(d => d.IsUsable && d.IsDiscreteGpu)?.Kind;

    /// <summary>Why no device of a kind can be used, in one line; null where one can.</summary>
    public static string? WhyNot(string kind)
    {
        if (GpuDevices.WhyNone(kind) is { } reason)
        {
            return reason;
        }

        GpuDevice[] own = [.. GpuDevices.List().Where(d => d.Kind == kind)];
        return own.Any(d => d.IsUsable) ? null : string.Join("; ", own.Select(d => $"{d.Name}: {d.Reason}"));
    }

    public static Backend Open(string kind) =>
        (kind == Devices.Cuda ? GpuDevices.OpenCuda() : GpuDevices.OpenOpenCl()) ?? throw new InvalidOperationException($"{kind}: the device is gone");
#else
    private const string NotBuilt =
        "this build has no GPU backend: its packages (ILGPU, ILGPU.Algorithms 1.5.3) were not found when it was built; NANOFOLD_GPU=true ./nanofold … builds with them";

    public static IReadOnlyList<Gpu> List() => [];

    /// <summary>What <c>auto</c> takes, or null.</summary>
    public static string? Preferred() => null;

    /// <summary>Why no device of a kind can be used, in one line; null where one can.</summary>
    public static string? WhyNot(string kind) => NotBuilt;

    public static Backend Open(string kind) => throw new InvalidOperationException(NotBuilt);
#endif
}
