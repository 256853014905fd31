using System.Reflection;
using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.IR.Types;
using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>Makes kernels for an OpenCL device: ILGPU writes OpenCL C, which is made right and to fit the device; what was written once is read again from a folder.</summary>
internal sealed class OpenClCompiler
{
    private static readonly MethodInfo s_entry = typeof(GpuContext).GetMethod(nameof(GpuContext.Entry), BindingFlags.Static | BindingFlags.NonPublic)!;

    private readonly Context _context;
    private readonly CLAccelerator _accelerator;
    private readonly OpenClCache _cache;

    /// <param name="context">ILGPU's.</param>
    /// <param name="accelerator">The device.</param>
    /// <param name="capabilities">What it has, or is to be taken to have.</param>
    public OpenClCompiler(Context context, CLAccelerator accelerator, OpenClCapabilities capabilities)
    {
        _context = context;
        _accelerator = accelerator;
        Capabilities = capabilities;
        string device = $"{accelerator.Name}; {accelerator.PlatformName} {accelerator.PlatformVersion}; {accelerator.CLStdVersion}; doubles {capabilities.HasDouble}; halves {capabilities.HasHalf}; loops {capabilities.IsProcessor}";
        _cache = new OpenClCache(device);
        Binaries = new OpenClBinaries(accelerator, device, capabilities.IsProcessor);
    }

    public OpenClCapabilities Capabilities { get; }

    /// <summary>Programs as the driver made them.</summary>
    public OpenClBinaries Binaries { get; }

    /// <summary>Before an accelerator is made of a device: ILGPU refuses what kernels do not ask for, or what <see cref="OpenClSource"/> stands in for.</summary>
    public static void Admit(CLDevice device)
    {
        SetGenericAddressSpace(device.Capabilities, true);
        SetFloat64(device.Capabilities, true);
        SetFloat16(device.Capabilities, true);
    }

    /// <param name="threads">Of a group, where a processor is to run them.</param>
    public Action<AcceleratorStream, KernelConfig, TWork> Load<TWork>(int threads)
        where TWork : struct, IGpuWork<TWork>
    {
        EntryPointDescription entry = EntryPointDescription.FromExplicitlyGroupedKernel(s_entry.MakeGenericMethod(typeof(TWork)));
        string source = _cache.Get(typeof(TWork), () => Write(entry));
        if (OpenClSource.LocalBytes(source) is var bytes && bytes > Capabilities.LocalBytes)
        {
            throw new NotSupportedException(
                $"{_accelerator.Name}: the kernel {WorkName.Of(typeof(TWork))} needs {bytes} bytes of local memory for a work-group, and the device has {Capabilities.LocalBytes}");
        }

        bool isLoops = ThreadLoops.IsIn(source);
        source = isLoops ? ThreadLoops.WithThreads(source, threads) : source;
        var compiled = new CLCompiledKernel(_context, new SeparateViewEntryPoint(entry, default, default, Types(_context), 2), null, source, _accelerator.CLStdVersion);
        Action<AcceleratorStream, KernelConfig, TWork> launch = Kernel(compiled, WorkName.Of(typeof(TWork))).CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, TWork>>();
        return isLoops ? (stream, config, work) => launch(stream, new KernelConfig(config.GridDim, new Index3D(1, 1, 1)), work) : launch;
    }

    /// <summary>ILGPU's kernel of a program that was built here: its own constructor would build the source.</summary>
    private CLKernel Kernel(CLCompiledKernel compiled, string work)
    {
        (nint program, nint handle) = Binaries.Load(compiled.Name, compiled.Source, work);
        var kernel = (CLKernel)RuntimeHelpers.GetUninitializedObject(typeof(CLKernel));
        Construct(kernel, _accelerator, compiled, Launcher(_accelerator, compiled, 0));
        (Program(kernel), Handle(kernel)) = (program, handle);
        return kernel;
    }

    private string Write(EntryPointDescription entry) => OpenClSource.Rewrite(((CLCompiledKernel)_accelerator.Backend.Compile(entry, default)).Source, Capabilities);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_TypeContext")]
    private static extern IRTypeContext Types(Context context);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_GenericAddressSpace")]
    private static extern void SetGenericAddressSpace(CLCapabilityContext capabilities, bool value);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_Float64")]
    private static extern void SetFloat64(CLCapabilityContext capabilities, bool value);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_Float16")]
    private static extern void SetFloat16(CLCapabilityContext capabilities, bool value);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = ".ctor")]
    private static extern void Construct(Kernel kernel, Accelerator accelerator, CompiledKernel compiled, MethodInfo? launcher);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "GenerateKernelLauncherMethod")]
    private static extern MethodInfo Launcher(CLAccelerator accelerator, CLCompiledKernel compiled, int groupSize);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "programPtr")]
    private static extern ref nint Program(CLKernel kernel);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "kernelPtr")]
    private static extern ref nint Handle(CLKernel kernel);
}
