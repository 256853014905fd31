using ILGPU.Runtime.Cuda;
using NanoFold.Kernels.Gpu.Cuda;

namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>A kernel written as PTX, loaded by the driver.</summary>
internal sealed unsafe class PtxKernel : IDisposable
{
    // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES; up to 48 KB need no asking.
    private const int MaxDynamicShared = 8, SharedUnasked = 48 * 1024;

    private readonly GpuContext _context;
    private readonly PtxProgram _program;
    private readonly nint _function;

    // Of its launches: after a kernel, and otherwise.
    private readonly LaunchAttribute[] _following, _first;

    private nint _module;

    /// <param name="context">Of a CUDA device.</param>
    /// <param name="program">The text.</param>
    /// <param name="name">For profiles.</param>
    /// <exception cref="InvalidOperationException">The driver cannot compile it, or a step is being captured.</exception>
    public PtxKernel(GpuContext context, PtxProgram program, string name)
    {
        if (context.IsCapturing)
        {
            throw new InvalidOperationException($"gpu: {name} was compiled while a step was captured; run it once before");
        }

        (_context, _program) = (context, program);
        (_following, _first) = (KernelLaunch.Attributes(program, program.StartsEarly), KernelLaunch.Attributes(program, isEarly: false));
        context.Accelerator.Bind();
        if (program.IsForTargetOnly)
        {
            (_module, string warnings) = CudaModule.Load(program.Text, name);
            name = warnings.Length > 0 ? $"{name} {warnings}" : name;
        }
        else
        {
            _module = Load(program, name);
        }

        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.GetModuleFunction(out _function, _module, program.Name));
        if (program.SharedBytes > SharedUnasked)
        {
            CudaDriver.Check(CudaDriver.FuncSetAttribute(_function, MaxDynamicShared, program.SharedBytes), $"asking for {program.SharedBytes} bytes of shared memory");
        }

        context.Note(name, _function);
    }

    /// <summary>Runs the kernel on the context's stream, after what was launched there before.</summary>
    public void Launch<T>(in T arguments, int gridX, int gridY, int gridZ)
        where T : unmanaged
    {
        if (sizeof(T) != _program.ParameterBytes)
        {
            throw new ArgumentException($"ptx: {typeof(T).Name} has {sizeof(T)} bytes, {_program.Name} takes {_program.ParameterBytes}");
        }

        nint stream = ((CudaStream)_context.Stream).StreamPtr;
        bool follows = _context.BeforeWritten(stream);
        _context.Accelerator.Bind();
        fixed (T* first = &arguments)
        {
            void* parameters = first;
            LaunchAttribute[] attributes = follows ? _following : _first;
            if (attributes.Length > 0)
            {
                KernelLaunch.Launch(_function, _program, gridX, gridY, gridZ, stream, &parameters, attributes);
                return;
            }

            CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.LaunchKernel(
                _function, gridX, gridY, gridZ, _program.Threads, 1, 1, _program.SharedBytes, stream, (nint)(&parameters), 0));
        }
    }

    private static nint Load(PtxProgram program, string name)
    {
        CudaError error = CudaAPI.CurrentAPI.LoadModule(out nint module, program.Text, out string? log);
        return error == CudaError.CUDA_SUCCESS
            ? module
            : throw new InvalidOperationException($"cuda: compiling {name} failed: {CudaAPI.CurrentAPI.GetErrorString(error)} {log?.TrimEnd('\0')}");
    }

    public void Dispose()
    {
        if (_module != 0)
        {
            _context.Accelerator.Bind();
            _ = CudaAPI.CurrentAPI.DestroyModule(_module);
            _module = 0;
        }
    }
}
