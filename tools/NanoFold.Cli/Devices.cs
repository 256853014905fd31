using NanoFold.Engine;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Programs;

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
        return Open(invocation.Device, invocation.Threads);
    }

    /// <summary>The same of a device by its name.</summary>
    public static Backend Open(string device, int threads)
    {
        string kind = KindOf(device);
        return kind == Cpu ? new CpuBackend(threads) : Gpus.Open(kind);
    }

    /// <summary>What <c>auto</c> takes; of any other name that one.</summary>
    public static string KindOf(string device) => device == Auto ? Gpus.Preferred() ?? Cpu : device;

    /// <summary>Throws where a device was asked for that is not there, or <see cref="InstructionSets.Variable"/> names what this machine lacks, or a variable of GPUs what there is not: nothing else is used in its place.</summary>
    public static void Require(string name)
    {
        if ((InstructionSets.Fault ?? Gpus.Fault) is { } fault)
        {
            throw UserException.Usage(fault);
        }

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
