using NanoFold.Engine;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Cli;

/// <summary>What <c>--device</c> may name, and what of it is there.</summary>
internal static class Devices
{
    public const string Auto = "auto", Cpu = "cpu", Cuda = "cuda", OpenCl = "opencl";

    private static readonly string[] s_names = [Auto, Cpu, Cuda, OpenCl];

    /// <summary>The backend of the device asked for. A device that is not there is an error; <c>auto</c> takes CUDA, then an OpenCL GPU with its own memory, then the CPU.</summary>
    public static Backend Open(Invocation invocation)
    {
        Require(invocation.Device);
        string kind = invocation.Device == Auto ? Gpus.Preferred() ?? Cpu : invocation.Device;
        return kind == Cpu ? new CpuBackend(invocation.Threads) : Gpus.Open(kind);
    }

    /// <summary>Throws where a device was asked for that is not there: nothing else is used in its place.</summary>
    public static void Require(string name)
    {
        if (!s_names.Contains(name))
        {
            throw UserException.Usage($"--device {name}: expected one of {string.Join(", ", s_names)}");
        }

        if (name is Cuda or OpenCl && Gpus.WhyNot(name) is { } reason)
        {
            throw new UserException($"--device {name}: {reason}; --device cpu works everywhere");
        }
    }
}
