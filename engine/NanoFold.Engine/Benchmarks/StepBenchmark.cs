using System.Diagnostics;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>Times training steps of a configuration on what its task is in shape: of text, random tokens.</summary>
/// <param name="TokensPerSecond">Of the median step.</param>
/// <param name="FlopsPerSecond">By the model's FLOPs per token, forward and backward.</param>
/// <param name="PeakResidentBytes">Of the whole process, 0 where the system does not say.</param>
/// <param name="ManagedBytesPerStep">Allocated on the managed heap by any thread, after warm-up.</param>
/// <param name="Parameters">Trained scalars.</param>
/// <param name="StepSeconds">Each timed step.</param>
public sealed record StepBenchmark(double TokensPerSecond, double FlopsPerSecond, long PeakResidentBytes, double ManagedBytesPerStep, long Parameters, IReadOnlyList<double> StepSeconds)
{
    private const int WarmUpSteps = 3;

    /// <param name="config">Resolved, its vocabulary known.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="steps">How many steps are timed.</param>
    public static StepBenchmark Run(RunConfig config, Backend backend, int steps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        using var model = new Transformer(config.Model, backend, new SeedSource((ulong)config.Train.Seed), config.Train.Trains);
        using LearningTask task = TrainData.Sketch(config);
        using var trainer = new Trainer(model, config.Train, task);
        for (int i = 0; i < WarmUpSteps; i++)
        {
            trainer.Step(i);
        }

        var seconds = new double[steps];
        long allocated = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < steps; i++)
        {
            long started = Stopwatch.GetTimestamp();
            trainer.Step(WarmUpSteps + i);
            seconds[i] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        double tokens = (double)Math.Max(1, config.Train.Batch) * config.Model.Context * config.Train.Accumulate;
        double rate = tokens / SampleStatistics.Median(seconds);
        return new StepBenchmark(rate, rate * CostModel.FlopsPerToken(model.Config, config.Train.Trains), ResidentMemory.Peak(), (double)allocated / steps, model.Store.Count, seconds);
    }
}
