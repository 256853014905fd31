using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>Launches kernels with what CUDA calls attributes: clusters of blocks, and a start while the kernel before still runs.</summary>
internal static unsafe class KernelLaunch
{
    // CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
    private const int ClusterDimension = 4, StreamSerialization = 6;

    /// <summary>The attributes of a program's launch.</summary>
    /// <param name="program">What is launched; where it has clusters, its text says so too.</param>
    /// <param name="isEarly">It may be started while the kernel before it on the stream still runs.</param>
    public static LaunchAttribute[] Attributes(PtxProgram program, bool isEarly)
    {
        var attributes = new List<LaunchAttribute>(2);
        if (program.Cluster > 1)
        {
            attributes.Add(new LaunchAttribute { Id = ClusterDimension, Value = program.Cluster, Second = 1, Third = 1 });
        }

        if (isEarly)
        {
            attributes.Add(new LaunchAttribute { Id = StreamSerialization, Value = 1 });
        }

        return [.. attributes];
    }

    /// <exception cref="ArgumentException">The grid has no whole number of clusters.</exception>
    public static void Launch(nint function, PtxProgram program, int gridX, int gridY, int gridZ, nint stream, void** parameters, LaunchAttribute[] attributes)
    {
        if (gridX % program.Cluster != 0)
        {
            throw new ArgumentException($"ptx: {program.Name} has clusters of {program.Cluster} blocks, and a grid of {gridX} along x is no whole number of them");
        }

        fixed (LaunchAttribute* first = attributes)
        {
            var config = new LaunchConfig
            {
                GridX = (uint)gridX, GridY = (uint)gridY, GridZ = (uint)gridZ, BlockX = (uint)program.Threads, BlockY = 1, BlockZ = 1, SharedBytes = (uint)program.SharedBytes, Stream = stream,
                Attributes = first, AttributeCount = (uint)attributes.Length,
            };
            CudaDriver.Check(CudaDriver.LaunchKernel(&config, function, parameters, null), $"the launch of {program.Name} with {attributes.Length} attributes");
        }
    }
}

/// <summary>CUDA's CUlaunchConfig.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfig
{
    public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;

    public nint Stream;

    public LaunchAttribute* Attributes;

    public uint AttributeCount;
}

/// <summary>CUDA's CUlaunchAttribute, of which up to three integers are used here.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    [FieldOffset(0)]
    public int Id;

    [FieldOffset(8)]
    public int Value;

    [FieldOffset(12)]
    public int Second;

    [FieldOffset(16)]
    public int Third;
}
