using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Gpu;

namespace NanoFold.Gpu.Tests;

/// <summary>
/// Tests that run kernels: on ILGPU's simulator, or on the device that NANOFOLD_TEST_DEVICE names (cuda, opencl). A fixture has one backend of a GPU and one of the CPU.
/// </summary>
public abstract class GpuTests
{
    private static readonly string? s_device = Environment.GetEnvironmentVariable("NANOFOLD_TEST_DEVICE");

    /// <summary>Whether shapes have to be tiny.</summary>
    protected static bool IsSimulated => string.IsNullOrEmpty(s_device);

    protected GpuBackend Gpu { get; private set; } = null!;

    protected CpuBackend Cpu { get; private set; } = null!;

    protected StepState GpuState { get; private set; } = null!;

    protected StepState CpuState { get; private set; } = null!;

    [OneTimeSetUp]
    public void Open()
    {
        Gpu = OpenGpu();
        Cpu = new CpuBackend(1);
    }

    [OneTimeTearDown]
    public void Close()
    {
        // A fixture whose device is not there is ignored before it has them.
        Gpu?.Dispose();
        Cpu?.Dispose();
    }

    /// <summary>A state of each backend, new for each test.</summary>
    [SetUp]
    public void NewStates() => (GpuState, CpuState) = (Gpu.NewState(), Cpu.NewState());

    [TearDown]
    public void DisposeStates()
    {
        GpuState.Dispose();
        CpuState.Dispose();
    }

    /// <summary>The device of a fixture.</summary>
    private protected virtual GpuBackend OpenGpu() => OpenDevice();

    /// <summary>The device that tests run on; another one each time.</summary>
    internal static GpuBackend OpenDevice(bool composedOnly = false) => s_device switch
    {
        "cuda" => GpuDevices.OpenCuda(composedOnly) ?? throw new InvalidOperationException("NANOFOLD_TEST_DEVICE is cuda: there is no such device"),
        "opencl" => GpuDevices.OpenOpenCl(composedOnly) ?? throw new InvalidOperationException("NANOFOLD_TEST_DEVICE is opencl: there is no such device"),
        _ => GpuDevices.OpenSimulator(composedOnly),
    };
}
