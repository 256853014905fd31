using System.Diagnostics;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>Times training steps of a configuration on random tokens.</summary>
/// <param name="TokensPerSecond">Of the median step.</param>
/// <param name="FlopsPerSecond">By the model's FLOPs per token, forward and backward.</param>
/// <param name="PeakResidentBytes">Of the whole process, 0 where the system does not say.</param>
/// <param name="ManagedBytesPerStep">Allocated on the managed heap by any thread, after warm-up.</param>
/// <param name="Parameters">Trained scalars.</param>
/// <param name="StepSeconds">Each timed step.</param>
public sealed record StepBenchmark(double TokensPerSecond, double FlopsPerSecond, long PeakResidentBytes, double ManagedBytesPerStep, long Parameters, IReadOnlyList<double> StepSeconds)
{
    // The runtime compiles hot code again in the background for a while, and that allocates: it has settled once nothing was for a while.
    private const int LeastWarmUpSteps = 3;
    private const double QuietSeconds = 1;
    private const double MostWarmUpSeconds = 15;

    /// <param name="config">Resolved, its vocabulary known.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="steps">How many steps are timed.</param>
    public static StepBenchmark Run(RunConfig config, Backend backend, int steps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        using var model = new Transformer(config.Model, backend, (ulong)config.Train.Seed);
        var batches = new RandomBatchSource(Math.Max(1, config.Train.Batch), config.Model.Context, model.Config.Vocab, (ulong)config.Train.Seed);
        using var trainer = new Trainer(model, config.Train, batches);
        int warmUp = WarmUp(trainer);
        var seconds = new double[steps];
        long allocated = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < steps; i++)
        {
            long started = Stopwatch.GetTimestamp();
            trainer.Step(warmUp + i);
            seconds[i] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        double tokens = (double)batches.Batch * batches.Context * config.Train.Accumulate;
        double rate = tokens / Median(seconds);
        return new StepBenchmark(rate, rate * CostModel.Of(model.Config).FlopsPerToken, PeakResident(), (double)allocated / steps, model.Store.Count, seconds);
    }

    // Returns how many steps it took.
    private static int WarmUp(Trainer trainer)
    {
        long began = Stopwatch.GetTimestamp(), quietSince = began;
        for (int step = 0; ; step++)
        {
            bool hasSettled = Stopwatch.GetElapsedTime(quietSince).TotalSeconds >= QuietSeconds
                || Stopwatch.GetElapsedTime(began).TotalSeconds >= MostWarmUpSeconds;
            if (step >= LeastWarmUpSteps && hasSettled)
            {
                return step;
            }

            long before = GC.GetTotalAllocatedBytes(precise: true);
            trainer.Step(step);
            if (GC.GetTotalAllocatedBytes(precise: true) != before)
            {
                quietSince = Stopwatch.GetTimestamp();
            }
        }
    }

    /// <summary>Most memory the process ever had resident, or 0 where the system does not say.</summary>
    public static long PeakResident()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    internal static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
