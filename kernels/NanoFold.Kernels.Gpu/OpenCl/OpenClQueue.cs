using System.Runtime.InteropServices;
using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>
/// Runs kernels on a queue. Queues here are in order: a kernel begins when what was asked for before it is done. ILGPU puts a barrier before each kernel all the same, which is a command of its
/// own and costs PoCL as much as a kernel does.
/// </summary>
internal static unsafe partial class OpenClQueue
{
    /// <param name="stream">The queue.</param>
    /// <param name="kernel">OpenCL's handle of it, its operands set.</param>
    /// <param name="x">Groups along the first dimension.</param>
    /// <param name="y">Along the second.</param>
    /// <param name="z">Along the third.</param>
    /// <param name="threads">Of a group, along the first dimension.</param>
    public static void Launch(AcceleratorStream stream, nint kernel, int x, int y, int z, int threads)
    {
        nuint* all = stackalloc nuint[3] { (nuint)x * (nuint)threads, (nuint)y, (nuint)z };
        nuint* group = stackalloc nuint[3] { (nuint)threads, 1, 1 };
        CLException.ThrowIfFailed((CLError)Enqueue(((CLStream)stream).CommandQueue, kernel, 3, null, all, group, 0, null, null));
    }

    [LibraryImport(NativeLibraries.OpenCl, EntryPoint = "clEnqueueNDRangeKernel")]
    private static partial int Enqueue(nint queue, nint kernel, uint dimensions, nuint* offset, nuint* all, nuint* group, uint waits, nint* waited, nint* made);
}
