using ILGPU.Runtime.OpenCL;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>What an OpenCL device has, of that which kernels ask for. Tests take one away at a time with <c>with</c>.</summary>
public sealed record OpenClCapabilities
{
    /// <summary>Threads of a work-group that kernels are written for.</summary>
    public const int LeastGroup = 256;

    /// <summary>Bytes of local memory that a device must have. Fused attention alone asks for more, and is composed where there is not: docs/opencl.md.</summary>
    public const int LeastLocalBytes = 32 * 1024;

    // Numbers of cl.h and cl_ext.h that ILGPU does not name.
    private const CLDeviceInfoType MaxMemAllocSize = (CLDeviceInfoType)0x1010, SubGroupSizesIntel = (CLDeviceInfoType)0x4108;

    /// <summary>The version of OpenCL C that kernels are compiled as, 100 for 1.0.</summary>
    public required int Language { get; init; }

    /// <summary>It is a processor: a group's threads are loops (<see cref="ThreadLoops"/>), and products, norms, softmax and formulas are written for its vectors.</summary>
    public bool IsProcessor { get; init; }

    /// <summary>Double precision (cl_khr_fp64). Without it sums that are in double precision elsewhere are in single precision.</summary>
    public required bool HasDouble { get; init; }

    /// <summary>Arithmetic in half precision (cl_khr_fp16). Without it halves are kept as bits and computed on as floats, as they are anyway.</summary>
    public required bool HasHalf { get; init; }

    /// <summary>Sums of floats by several threads (cl_ext_float_atomics). No kernel asks for them: their order would change results from run to run.</summary>
    public required bool HasFloatAtomics { get; init; }

    /// <summary>Threads of a sub-group; 0 for none, 1 where the device has them and does not say how large. No kernel asks for them on OpenCL: sums go through local memory.</summary>
    public required int SubGroup { get; init; }

    /// <summary>Threads of a work-group at most.</summary>
    public required int MostThreads { get; init; }

    /// <summary>Bytes of local memory that a work-group has at most.</summary>
    public required long LocalBytes { get; init; }

    /// <summary>Bytes of one buffer at most, often a quarter of the device's memory.</summary>
    public required long BufferBytes { get; init; }

    /// <summary>What the device lacks that nothing stands in for, and what to do; null where it can be used.</summary>
    public string? Lacks =>
        Language < 200 ? $"its OpenCL C is {Language / 100}.{Language % 100 / 10}; 2.0 is needed, and a newer driver may have it"
        : MostThreads < LeastGroup ? $"its work-groups have {MostThreads} threads at most; {LeastGroup} are needed"
        : LocalBytes < LeastLocalBytes ? $"its work-groups have {LocalBytes} bytes of local memory; {LeastLocalBytes} are needed"
        : null;

    internal static OpenClCapabilities Of(CLDevice device) => new()
    {
        Language = 100 * device.CLStdVersion.Major + 10 * device.CLStdVersion.Minor,
        IsProcessor = device.DeviceType.HasFlag(CLDeviceType.CL_DEVICE_TYPE_CPU),
        HasDouble = device.HasExtension("cl_khr_fp64"),
        HasHalf = device.HasExtension("cl_khr_fp16"),
        HasFloatAtomics = device.HasExtension("cl_ext_float_atomics"),
        SubGroup = SubGroupOf(device),
        MostThreads = device.MaxNumThreadsPerGroup,
        LocalBytes = device.MaxSharedMemoryPerGroup,
        BufferBytes = device.GetDeviceInfo(MaxMemAllocSize, out long bytes) == CLError.CL_SUCCESS && bytes > 0 ? bytes : device.MemorySize / 4,
    };

    /// <summary>In a few words each.</summary>
    internal IEnumerable<string> Words() =>
    [
        $"OpenCL C {Language / 100}.{Language % 100 / 10}",
        HasDouble ? "double precision" : "no double precision (sums in single)",
        HasHalf ? "half precision" : "no half precision (halves as bits)",
        $"work-groups of {MostThreads}",
        $"{LocalBytes / 1024} KiB of local memory",
        SubGroup > 1 ? $"sub-groups of {SubGroup}" : SubGroup == 1 ? "sub-groups" : "no sub-groups",
        HasFloatAtomics ? "float atomics" : "no float atomics",
        $"buffers of {BufferBytes / (1024.0 * 1024 * 1024):0.#} GiB",
    ];

    // Of several sizes the largest.
    private static unsafe int SubGroupOf(CLDevice device)
    {
        if (device.WarpSize > 0)
        {
            return device.WarpSize;
        }

        return device.HasExtension("cl_intel_required_subgroup_size") && device.GetDeviceInfo(SubGroupSizesIntel, out SubGroupSizes sizes) == CLError.CL_SUCCESS
            ? (int)sizes.Largest
            : device.HasExtension("cl_khr_subgroups") ? 1 : 0;
    }

    private unsafe struct SubGroupSizes
    {
        private fixed ulong _sizes[16];

        public readonly ulong Largest
        {
            get
            {
                ulong largest = 0;
                for (int i = 0; i < 16; i++)
                {
                    largest = Math.Max(largest, _sizes[i]);
                }

                return largest;
            }
        }
    }
}
