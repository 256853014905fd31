using System.Text;
using ILGPU.Runtime.OpenCL;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>Kernels that are written as OpenCL C: for what ILGPU cannot say, such as vectors of sixteen floats.</summary>
internal sealed class OpenClProgram : IDisposable
{
    private readonly GpuContext _context;
    private readonly nint _program, _kernel;

    /// <param name="context">Of an OpenCL device.</param>
    /// <param name="name">The kernel's.</param>
    /// <param name="source">OpenCL C.</param>
    public OpenClProgram(GpuContext context, string name, string source)
    {
        _context = context;
        // ILGPU counts characters and sends bytes: a source that is not ASCII loses its end.
        if (!Ascii.IsValid(source))
        {
            throw new ArgumentException($"the source of {name} has other characters than those of ASCII", nameof(source));
        }

        (_program, _kernel) = context.Binaries.Load(name, source, name);
    }

    /// <summary>Runs groups of one thread.</summary>
    /// <param name="operands">What is not memory.</param>
    /// <param name="x">Groups along the first dimension.</param>
    /// <param name="y">Along the second.</param>
    /// <param name="z">Along the third.</param>
    /// <param name="memory">Buffers, the first operands.</param>
    public unsafe void Launch<TOperands>(TOperands operands, int x, int y, int z, params ReadOnlySpan<nint> memory)
        where TOperands : unmanaged
    {
        _context.BeforeForeignLaunch();
        CLAPI api = CLAPI.CurrentAPI;
        for (int i = 0; i < memory.Length; i++)
        {
            nint handle = memory[i];
            CLException.ThrowIfFailed(api.SetKernelArgumentUnsafe(_kernel, i, sizeof(nint), &handle));
        }

        CLException.ThrowIfFailed(api.SetKernelArgumentUnsafe(_kernel, memory.Length, sizeof(TOperands), &operands));
        OpenClQueue.Launch(_context.Stream, _kernel, x, y, z, 1);
    }

    public void Dispose()
    {
        CLException.ThrowIfFailed(CLAPI.CurrentAPI.ReleaseKernel(_kernel));
        CLException.ThrowIfFailed(CLAPI.CurrentAPI.ReleaseProgram(_program));
    }
}
