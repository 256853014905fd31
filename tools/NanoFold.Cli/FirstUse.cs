using System.Security.Cryptography;
using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks.Devices;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Memory;

namespace NanoFold.Cli;

/// <summary>
/// Before a GPU trains in a precision for the first time (with its driver, this build, and the variables that choose kernels), a small model trains on it beside the CPU: a card or a driver
/// on which kernels compute something else is found in seconds, not in a model that is no good. What was right is noted in the user's folder for caches.
/// </summary>
internal static class FirstUse
{
    /// <summary>Set to <c>off</c>: trains without.</summary>
    public const string Variable = "NANOFOLD_FIRST_USE";

    private const string Advice = $"NANOFOLD_GPU_STEP=plain leaves out the newest kernels, --device cpu works everywhere, 'nanofold devices --check' says more, {Variable}=off trains all the same";

    /// <summary>The variables by which kernels of GPUs are chosen.</summary>
    internal static IReadOnlyList<string> Choosing { get; } = ["NANOFOLD_GPU_STEP", "NANOFOLD_WGMMA", "NANOFOLD_ATTENTION_BACKWARD", "NANOFOLD_GPU_SLICES", "NANOFOLD_EARLY_LAUNCH"];

    /// <summary>Checks a GPU with memory of its own that was not checked before; nothing for other devices.</summary>
    /// <param name="kind">As <c>--device</c> names it.</param>
    /// <param name="backend">That is to train.</param>
    /// <param name="precision">In which.</param>
    /// <param name="output">Told that it was done.</param>
    /// <exception cref="UserException">What the device computes is not what the CPU does.</exception>
    public static void Check(string kind, Backend backend, PrecisionKind precision, Output output)
    {
        if (backend.FreeBytes is null || kind == Devices.Cpu || Environment.GetEnvironmentVariable(Variable) == "off" || !PrecisionCheck.Can(precision, backend))
        {
            return;
        }

        string driver = string.Join(", ", Gpus.List().Where(g => g.Kind == kind).Select(g => g.Driver));
        Check(backend, precision, $"{driver}; {string.Join("; ", Choosing.Select(name => $"{name}={Environment.GetEnvironmentVariable(name)}"))}", CacheFolder.Default, output);
    }

    /// <summary>The same, with what the kernels depend on besides device, build and precision, and where it is noted.</summary>
    internal static void Check(Backend backend, PrecisionKind precision, string circumstances, string cache, Output output)
    {
        string key = $"{backend.Name}; {precision.Name()}; {circumstances}; {backend.GetType().Module.ModuleVersionId}; {typeof(DeviceCheck).Module.ModuleVersionId}";
        string noted = Path.Combine(cache, "devices", $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..16]}.txt");
        if (File.Exists(noted))
        {
            return;
        }

        DeviceCheck check = Run(backend, precision);
        if (check.Fault is { } fault)
        {
            throw new UserException($"{backend.Name} ({precision.Name()}): {fault}. {Advice}");
        }

        output.Note($"{backend.Name}: first use in {precision.Name()}: a small model trains there as on the CPU ({Display.Number(check.Seconds, "0.0")} s)");
        Note(noted, key);
    }

    private static DeviceCheck Run(Backend backend, PrecisionKind precision)
    {
        try
        {
            return DeviceCheck.Run(DeviceCase.Of(precision), backend);
        }
        catch (Exception e) when (e is not (OutOfMemoryException or UserException or OperationCanceledException))
        {
            throw new UserException($"{backend.Name} ({precision.Name()}): a small model could not be trained: {e.Message.TrimEnd('.')}. {Advice}", e);
        }
    }

    private static void Note(string path, string key)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, key + "\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then it is done again the next time.
        }
    }
}
