using NanoFold.Engine;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Cli;

/// <summary>What <c>--device</c> may name, and what of it is there.</summary>
internal static class Devices
{
    /// <summary>Why a GPU cannot be used.</summary>
    public const string GpuHint = "this version computes on the CPU only";

    private static readonly string[] s_names = ["auto", "cpu", "cuda", "opencl"];

    /// <summary>The backend of the device asked for, with its threads.</summary>
    public static Backend Open(Invocation invocation) => new CpuBackend(invocation.Threads);

    /// <summary>Throws where a device was asked for that is not there: nothing else is used in its place.</summary>
    public static void Require(string name)
    {
        if (!s_names.Contains(name))
        {
            throw UserException.Usage($"--device {name}: expected one of {string.Join(", ", s_names)}");
        }

        if (name is "cuda" or "opencl")
        {
            throw new UserException($"--device {name}: {GpuHint}; --device cpu works everywhere");
        }
    }
}
