using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>A kernel of a work on an OpenCL device.</summary>
/// <param name="program">OpenCL's handle of its program.</param>
/// <param name="kernel">OpenCL's handle of it.</param>
/// <param name="operands">How it is given a work.</param>
/// <param name="isLoops">Whether a group is one thread that runs all of them.</param>
internal sealed unsafe class OpenClKernel(nint program, nint kernel, WorkOperands operands, bool isLoops) : IDisposable
{
    /// <summary>Runs it over a grid of groups.</summary>
    /// <param name="stream">The queue.</param>
    /// <param name="work">The work begins here.</param>
    /// <param name="x">Groups along the first dimension.</param>
    /// <param name="y">Along the second.</param>
    /// <param name="z">Along the third.</param>
    /// <param name="threads">Of a group.</param>
    public void Launch(AcceleratorStream stream, ref byte work, int x, int y, int z, int threads)
    {
        CLAPI api = CLAPI.CurrentAPI;
        byte* all = stackalloc byte[operands.Bytes];
        nint* buffers = stackalloc nint[operands.Views];
        operands.Write(ref work, new Span<byte>(all, operands.Bytes), new Span<nint>(buffers, operands.Views));
        for (int i = 0; i < operands.Views; i++)
        {
            CLException.ThrowIfFailed(api.SetKernelArgumentUnsafe(kernel, i, sizeof(nint), buffers + i));
        }

        CLException.ThrowIfFailed(api.SetKernelArgumentUnsafe(kernel, operands.Views, operands.Bytes, all));
        OpenClQueue.Launch(stream, kernel, x, y, z, isLoops ? 1 : threads);
    }

    public void Dispose()
    {
        CLException.ThrowIfFailed(CLAPI.CurrentAPI.ReleaseKernel(kernel));
        CLException.ThrowIfFailed(CLAPI.CurrentAPI.ReleaseProgram(program));
    }
}
