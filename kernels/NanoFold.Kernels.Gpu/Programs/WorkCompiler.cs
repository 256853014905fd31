using System.Reflection;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>Compiles work structs as for a device, without one. For one thread at a time.</summary>
internal sealed class WorkCompiler : IDisposable
{
    private static readonly MethodInfo s_entry = typeof(GpuContext).GetMethod(nameof(GpuContext.Entry), BindingFlags.Static | BindingFlags.NonPublic)!;

    private static readonly MethodInfo s_limits = typeof(GpuContext).GetMethod(nameof(GpuContext.CudaLimits), BindingFlags.Static | BindingFlags.NonPublic)!;

    private readonly Context _context = Context.Create(builder => builder.EnableAlgorithms().Optimize(OptimizationLevel.O2));
    private readonly Dictionary<CudaArchitecture, PTXBackend> _cuda = [];
    private readonly CLBackend _openCl;

    public WorkCompiler()
    {
        var capabilities = new CLCapabilityContext(float16: true, float64: true, int64_Atomics: true, subGroups: true, genericAddressSpace: true);
        _openCl = new CLBackend(_context, capabilities, CLDeviceVendor.AMD, CLCVersion.CL20);
    }

    /// <summary>The works in all that they become, on a few threads.</summary>
    /// <param name="works">Structs.</param>
    /// <param name="architectures">Of CUDA devices that a work is compiled for.</param>
    public static CompiledWork[] Compile(IReadOnlyList<Type> works, Func<Type, CudaArchitecture[]> architectures)
    {
        var compiled = new CompiledWork[works.Count];
        int next = -1;
        Parallel.For(0, Math.Min(4, Environment.ProcessorCount), _ =>
        {
            using var compiler = new WorkCompiler();
            for (int i = Interlocked.Increment(ref next); i < compiled.Length; i = Interlocked.Increment(ref next))
            {
                compiled[i] = new(works[i], [.. architectures(works[i]).Select(a => compiler.ToPtx(works[i], a))], compiler.ToOpenCl(works[i]));
            }
        });
        return compiled;
    }

    public string ToPtx(Type work, CudaArchitecture architecture)
    {
        if (!_cuda.TryGetValue(architecture, out PTXBackend? backend))
        {
            backend = new PTXBackend(_context, new CudaCapabilityContext(architecture), architecture, CudaInstructionSet.ISA_70, nvvmAPI: null);
            _cuda.Add(architecture, backend);
        }

        return ((PTXCompiledKernel)Compile(backend, work, Limits(work))).PTXAssembly;
    }

    /// <summary>Null for what is for CUDA only.</summary>
    public string? ToOpenCl(Type work)
        => work.IsGenericType && work.GetGenericArguments().Contains(typeof(WarpSum)) ? null : ((CLCompiledKernel)Compile(_openCl, work, KernelSpecialization.Empty)).Source;

    public void Dispose()
    {
        _openCl.Dispose();
        foreach (PTXBackend backend in _cuda.Values)
        {
            backend.Dispose();
        }

        _context.Dispose();
    }

    /// <summary>See <see cref="IGpuWork{T}.GroupsTogether"/>.</summary>
    private static KernelSpecialization Limits(Type work)
        => (KernelSpecialization)s_limits.MakeGenericMethod(work).Invoke(null, null)!;

    private static CompiledKernel Compile(ILGPU.Backends.Backend backend, Type work, KernelSpecialization limits)
    {
        try
        {
            return backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(s_entry.MakeGenericMethod(work)), limits);
        }
        catch (Exception e) when (e is InternalCompilerException or NotSupportedException or CapabilityNotSupportedException)
        {
            throw new InvalidOperationException($"{WorkName.Of(work)} for {backend.BackendType}: {e.InnerException?.Message ?? e.Message}", e);
        }
    }
}
