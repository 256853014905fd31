using ILGPU.Runtime.Cuda;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>Runs the checks of a card.</summary>
public static class CardChecks
{
    /// <summary>Runs one after the other those that the backend's device has, and stops where a kernel fails: the driver refuses all work after that.</summary>
    /// <param name="backend">Of a CUDA device.</param>
    /// <param name="checks">Those to run.</param>
    /// <param name="done">Told of each: its result, or why there is none.</param>
    /// <exception cref="NotSupportedException">The backend is of no CUDA device.</exception>
    public static void Run(GpuBackend backend, IEnumerable<CardCheck> checks, Action<CardCheck, CheckResult?, string?> done)
    {
        int architecture = CudaCheckDevice.Of(backend.Context);
        if (architecture == 0)
        {
            throw new NotSupportedException($"{backend.Name}: has no CUDA kernels to check");
        }

        string? reason = null;
        foreach (CardCheck check in checks.Where(c => c.IsFor(architecture)))
        {
            if (reason is not null)
            {
                done(check, null, "not run after the failure");
                continue;
            }

            try
            {
                using var device = new CudaCheckDevice(backend.Context);
                done(check, check.Run(device), null);
            }
            catch (Exception e) when (e is InvalidOperationException or CudaException)
            {
                reason = e.Message;
                done(check, null, reason);
            }
        }
    }
}
