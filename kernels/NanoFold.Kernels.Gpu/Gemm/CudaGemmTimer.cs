using NanoFold.Kernels.Gpu.Cuda;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>Measures products between two events on the device; the best of a few samples, for what disturbs only ever takes longer.</summary>
internal sealed class CudaGemmTimer(GpuContext context, CudaMatMul products) : IGemmTimer, IDisposable
{
    private const int Samples = 3, MostCalls = 100;

    private const double SampleSeconds = 2e-3;

    /// <summary>That launching a product takes the host at most; the device is kept busy meanwhile.</summary>
    private const double LaunchMs = 0.01;

    private readonly CudaClock _clock = new(context);

    public double Seconds(in GemmProblem problem, in GemmChoice choice)
    {
        // The first call compiles kernels and may allocate.
        products.Run(problem, choice);
        double best = Sample(problem, choice, 1);
        int calls = (int)Math.Clamp(SampleSeconds / best, 1, MostCalls);
        for (int i = 0; i < Samples; i++)
        {
            best = i == 0 ? Sample(problem, choice, calls) : Math.Min(best, Sample(problem, choice, calls));
        }

        return best;
    }

    public void Dispose() => _clock.Dispose();

    private double Sample(in GemmProblem problem, in GemmChoice choice, int calls)
    {
        _clock.Clear();
        _clock.Hold(LaunchMs * (calls + 2));
        _clock.Mark();
        for (int i = 0; i < calls; i++)
        {
            products.Run(problem, choice);
        }

        return _clock.Seconds(_clock.Mark()) / calls;
    }
}
