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

    [OneTimeSetUp]
    public void Open()
    {
        Gpu = OpenGpu();
        Cpu = new CpuBackend(1);
    }

    [OneTimeTearDown]
    public void Close()
    {
        Gpu.Dispose();
        Cpu.Dispose();
    }

    /// <summary>Sets what the loss and the random ops read: the first micro-batch of step 1.</summary>
    protected static void SetState(Backend backend, int targets = 1)
    {
        backend.State.Set(StepSlot.Step, 1L);
        backend.State.Set(StepSlot.MicroBatch, 0L);
        backend.State.Set(StepSlot.MicroBatchCount, 1L);
        backend.State.Set(StepSlot.TargetCount, (long)targets);
        backend.State.Set(StepSlot.RandomKey, 0x5eedL);
        backend.State.Set(StepSlot.Loss, 0.0);
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
