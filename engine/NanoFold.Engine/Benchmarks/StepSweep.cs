using System.Diagnostics;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>How the rate of training steps changes along one axis at a time.</summary>
public static class StepSweep
{
    /// <summary>A cell below this share of its best neighbor on the axis is a cliff.</summary>
    public const double CliffShare = 0.7;

    private const int MostSteps = 9;
    private const double SecondsPerCell = 1.5;

    /// <summary>Times the cells of an axis, one after the other. Those that are inconsistent or do not fit this machine are left out.</summary>
    /// <param name="config">Resolved, its vocabulary known.</param>
    /// <param name="axis">What varies.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="note">Told of each cell that is left out.</param>
    public static IReadOnlyList<SweepCell> Run(RunConfig config, SweepAxis axis, Backend backend, Action<string> note)
    {
        var cells = new List<SweepCell>();
        foreach (int value in axis.Values)
        {
            RunConfig at = axis.With(config, value);
            if (at.Model.Validate("model").FirstOrDefault() is { } problem)
            {
                note($"{axis.Name} {axis.Label(value)} is left out: {problem}");
                continue;
            }

            long planBytes = MemoryPlan.Of(at, backend).PeakBytes;
            if (planBytes > DeviceMemory.Available(backend))
            {
                note($"{axis.Name} {axis.Label(value)} is left out: its {planBytes / 1e9:0.0} GB do not fit this machine");
                continue;
            }

            cells.Add(Measure(at, axis.Name, value, planBytes, backend));
        }

        return cells;
    }

    /// <summary>Whether the share of peak at <paramref name="index"/> falls below <see cref="CliffShare"/> of the better of its neighbors.</summary>
    public static bool IsCliff(IReadOnlyList<SweepCell> axis, int index)
    {
        double before = index > 0 ? axis[index - 1].PeakShare : 0, after = index + 1 < axis.Count ? axis[index + 1].PeakShare : 0;
        return axis[index].PeakShare < CliffShare * Math.Max(before, after);
    }

    private static SweepCell Measure(RunConfig config, string axis, int value, long planBytes, Backend backend)
    {
        using var model = new Transformer(config.Model, backend, new SeedSource((ulong)config.Train.Seed), config.Train.Trains);
        using LearningTask task = TrainData.Sketch(config);
        using var trainer = new Trainer(model, config.Train, task);
        List<double> passes = [], updates = [], peaks = [];
        Time(trainer, backend, config.Train.Accumulate, 0);
        long started = Stopwatch.GetTimestamp();
        do
        {
            peaks.Add(MatMulPeak.Measure(backend));
            (double pass, double update) = Time(trainer, backend, config.Train.Accumulate, passes.Count + 1);
            passes.Add(pass);
            updates.Add(update);
        }
        while (passes.Count < MostSteps && Stopwatch.GetElapsedTime(started).TotalSeconds < SecondsPerCell);

        double tokens = (double)config.Train.Batch * config.Model.Context * config.Train.Accumulate;
        double passSeconds = SampleStatistics.Median(passes), updateSeconds = SampleStatistics.Median(updates);
        return new SweepCell(
            axis, value, model.Store.Count, tokens / (passSeconds + updateSeconds),
            tokens / passSeconds * CostModel.FlopsPerToken(model.Config, config.Train.Trains), SampleStatistics.Median(peaks), updateSeconds, planBytes);
    }

    private static (double Passes, double Update) Time(Trainer trainer, Backend backend, int microBatches, long step)
    {
        long started = Stopwatch.GetTimestamp();
        trainer.Begin(step);
        for (int i = 0; i < microBatches; i++)
        {
            trainer.Accumulate(i);
        }

        backend.Synchronize();
        long updating = Stopwatch.GetTimestamp();
        trainer.Update();
        backend.Synchronize();
        return (Stopwatch.GetElapsedTime(started, updating).TotalSeconds, Stopwatch.GetElapsedTime(updating).TotalSeconds);
    }
}
