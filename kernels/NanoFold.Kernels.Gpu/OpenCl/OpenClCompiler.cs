using System.Reflection;
using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>Makes kernels for an OpenCL device: ILGPU writes OpenCL C, which is made right and to fit the device; what was written once is read again from a folder.</summary>
internal sealed class OpenClCompiler : IDisposable
{
    // What ILGPU calls a kernel.
    private const string Name = "Kernel_" + nameof(GpuContext.Entry);

    private static readonly MethodInfo s_entry = typeof(GpuContext).GetMethod(nameof(GpuContext.Entry), BindingFlags.Static | BindingFlags.NonPublic)!;

    private readonly Dictionary<(Type Work, int Threads), OpenClKernel> _kernels = [];
    private readonly CLAccelerator _accelerator;
    private readonly OpenClCache _cache;

    // What writes kernels: a run that finds all of its kernels written does without it, and so without a tenth of a second of its start.
    private CLBackend? _writer;

    /// <param name="accelerator">The device.</param>
    /// <param name="capabilities">What it has, or is to be taken to have.</param>
    public OpenClCompiler(CLAccelerator accelerator, OpenClCapabilities capabilities)
    {
        _accelerator = accelerator;
        Capabilities = capabilities;
        string device = $"{accelerator.Name}; {accelerator.PlatformName} {accelerator.PlatformVersion}; {accelerator.CLStdVersion}; doubles {capabilities.HasDouble}; halves {capabilities.HasHalf}; loops {capabilities.IsProcessor}";
        _cache = new OpenClCache(device);
        Binaries = new OpenClBinaries(accelerator, device, capabilities.IsProcessor);
    }

    public OpenClCapabilities Capabilities { get; }

    /// <summary>Programs as the driver made them.</summary>
    public OpenClBinaries Binaries { get; }

    /// <summary>
    /// An accelerator of a device. ILGPU refuses what kernels do not ask for, or what <see cref="OpenClSource"/> stands in for; and of a device of most vendors it has a program compiled, to see
    /// what it prefers of threads side by side, which nobody asks for here and takes PoCL a tenth of a second.
    /// </summary>
    public static Accelerator Open(Context context, CLDevice device)
    {
        SetGenericAddressSpace(device.Capabilities, true);
        SetFloat64(device.Capabilities, true);
        SetFloat16(device.Capabilities, true);
        CLDeviceVendor vendor = device.Vendor;
        try
        {
            SetVendor(device, CLDeviceVendor.AMD);
            return device.CreateAccelerator(context);
        }
        finally
        {
            SetVendor(device, vendor);
        }
    }

    /// <summary>The kernels that ran so far.</summary>
    public IEnumerable<Type> Works => _kernels.Keys.Select(k => k.Work).Distinct();

    /// <summary>The kernel of a work; it is made where it was not asked for before.</summary>
    /// <param name="work">The work's type.</param>
    /// <param name="threads">Of a group: what a processor runs is compiled for their number.</param>
    public OpenClKernel Kernel(Type work, int threads)
    {
        (Type, int) key = (work, Capabilities.IsProcessor ? threads : 0);
        if (!_kernels.TryGetValue(key, out OpenClKernel? kernel))
        {
            kernel = Load(work, threads);
            _kernels.Add(key, kernel);
        }

        return kernel;
    }

    public void Dispose()
    {
        foreach (OpenClKernel kernel in _kernels.Values)
        {
            kernel.Dispose();
        }

        _writer?.Context.Dispose();
    }

    private OpenClKernel Load(Type work, int threads)
    {
        var operands = WorkOperands.Of(work);
        string source = _cache.Get(work, () => Write(work, operands));
        if (OpenClSource.LocalBytes(source) is var bytes && bytes > Capabilities.LocalBytes)
        {
            throw new NotSupportedException(
                $"{_accelerator.Name}: the kernel {WorkName.Of(work)} needs {bytes} bytes of local memory for a work-group, and the device has {Capabilities.LocalBytes}");
        }

        bool isLoops = ThreadLoops.IsIn(source);
        (nint program, nint kernel) = Binaries.Load(Name, isLoops ? ThreadLoops.WithThreads(source, threads) : source, WorkName.Of(work));
        return new OpenClKernel(program, kernel, operands, isLoops);
    }

    private string Write(Type work, WorkOperands operands)
    {
        EntryPointDescription entry = EntryPointDescription.FromExplicitlyGroupedKernel(s_entry.MakeGenericMethod(work));
        _writer ??= new CLBackend(
            Context.Create(builder => builder.EnableAlgorithms().Optimize(OptimizationLevel.O2)), _accelerator.Capabilities, _accelerator.Vendor, _accelerator.CLStdVersion);
        string source = OpenClSource.Rewrite(((CLCompiledKernel)_writer.Compile(entry, default)).Source, Capabilities);
        return OpenClSource.Takes(source, operands) ? source : throw new NotSupportedException($"{WorkName.Of(work)}: its OpenCL kernel has its operands in other places than C puts them");
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_GenericAddressSpace")]
    private static extern void SetGenericAddressSpace(CLCapabilityContext capabilities, bool value);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_Float64")]
    private static extern void SetFloat64(CLCapabilityContext capabilities, bool value);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_Float16")]
    private static extern void SetFloat16(CLCapabilityContext capabilities, bool value);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_Vendor")]
    private static extern void SetVendor(CLDevice device, CLDeviceVendor value);
}
