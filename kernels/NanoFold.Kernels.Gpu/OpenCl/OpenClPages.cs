using System.Runtime.InteropServices;
using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>Pages of 2 MB for large buffers of an OpenCL device that is a processor, whose memory is the host's. Only a hint: nothing depends on it.</summary>
internal static unsafe partial class OpenClPages
{
    // CL_MAP_WRITE_INVALIDATE_REGION: what is in the buffer is of no interest.
    private const ulong Invalidate = 4;

    /// <summary>Before a buffer is first used.</summary>
    /// <param name="queue">OpenCL's handle of one of its device's.</param>
    /// <param name="buffer">OpenCL's handle of it.</param>
    /// <param name="bytes">How large it is.</param>
    public static void Advise(nint queue, nint buffer, long bytes)
    {
        if (!HugePages.Pay(bytes))
        {
            return;
        }

        byte* start = Map(queue, buffer, blocks: 1, Invalidate, 0, (nuint)bytes, 0, null, null, out int error);
        if (error != 0 || start is null)
        {
            return;
        }

        long skipped = -(nint)start & (HugePages.Bytes - 1);
        if (skipped < bytes)
        {
            HugePages.Advise(start + skipped, bytes - skipped);
        }

        _ = Unmap(queue, buffer, start, 0, null, null);
    }

    [LibraryImport(NativeLibraries.OpenCl, EntryPoint = "clEnqueueMapBuffer")]
    private static partial byte* Map(nint queue, nint buffer, uint blocks, ulong how, nuint offset, nuint bytes, uint waits, nint* waited, nint* made, out int error);

    [LibraryImport(NativeLibraries.OpenCl, EntryPoint = "clEnqueueUnmapMemObject")]
    private static partial int Unmap(nint queue, nint buffer, byte* start, uint waits, nint* waited, nint* made);
}
