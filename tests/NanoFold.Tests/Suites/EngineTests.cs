using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Suites;

/// <summary>Tests that run recorded work: backends by path and threads, made once for a fixture.</summary>
public abstract class EngineTests : IDisposable
{
    /// <summary>All of them; where instructions are switched off, what such a machine would take and the one most machines take.</summary>
    public static readonly Isa[] Paths = InstructionSetTests.SwitchedOff is null
        ? Enum.GetValues<Isa>()
        : [IsaExtensions.Best, Isa.Vector256];

    private readonly Dictionary<(Isa, int, bool), CpuBackend> _backends = [];

    public void Dispose()
    {
        foreach (CpuBackend backend in _backends.Values)
        {
            backend.Dispose();
        }

        _backends.Clear();
        GC.SuppressFinalize(this);
    }

    /// <summary>A backend whose state stands at the first micro-batch of step 1, with one target.</summary>
    protected CpuBackend Backend(Isa? isa = null, int threads = 1, bool composedOnly = false)
    {
        (Isa, int, bool) key = (isa ?? IsaExtensions.Best, threads, composedOnly);
        if (!_backends.TryGetValue(key, out CpuBackend? backend))
        {
            _backends.Add(key, backend = new CpuBackend(threads, key.Item1, composedOnly));
        }

        SetState(backend);
        return backend;
    }

    /// <summary>Sets what the loss and the random ops read.</summary>
    protected static void SetState(Backend backend, int targets = 1, int step = 1, int microBatch = 0, int microBatches = 1)
    {
        backend.State.Set(StepSlot.Step, (long)step);
        backend.State.Set(StepSlot.MicroBatch, (long)microBatch);
        backend.State.Set(StepSlot.MicroBatchCount, (long)microBatches);
        backend.State.Set(StepSlot.TargetCount, (long)targets);
        backend.State.Set(StepSlot.RandomKey, 0x5eedL);
        backend.State.Set(StepSlot.Loss, 0.0);
        backend.State.Set(StepSlot.BalanceLoss, 0.0);
        backend.State.Set(StepSlot.ZLoss, 0.0);
        backend.State.Set(StepSlot.IndexLoss, 0.0);
        backend.State.Set(StepSlot.LossScale, 1.0);
    }
}
