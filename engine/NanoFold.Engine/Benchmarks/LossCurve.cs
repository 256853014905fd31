using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>The losses of a short training run, to compare devices and precisions: everything else is the same.</summary>
public static class LossCurve
{
    // Single steps differ by their batch far more than by rounding.
    private const int Window = 20;

    /// <param name="config">Resolved, its vocabulary known.</param>
    /// <param name="backend">Where it trains.</param>
    /// <param name="data">A text, read as bytes; null for random tokens.</param>
    /// <param name="steps">How many.</param>
    public static double[] Of(RunConfig config, Backend backend, string? data, int steps)
    {
        using var model = new Transformer(config.Model, backend, new SeedSource((ulong)config.Train.Seed), config.Train.Trains);
        using LearningTask task = data is null
            ? TrainData.Sketch(config)
            : config.Task.Open(TrainData.ContextOf(config with { Data = config.Data with { Path = data } }));
        using var trainer = new Trainer(model, config.Train, task);
        var losses = new double[steps];
        for (int i = 0; i < steps; i++)
        {
            losses[i] = trainer.Step(i).Loss;
        }

        return losses;
    }

    /// <summary>The largest difference between means over 20 steps.</summary>
    public static double LargestDifference(double[] one, double[] other)
    {
        int window = Math.Min(Window, one.Length);
        double largest = 0;
        for (int i = 0; i + window <= one.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(one.AsSpan(i, window).ToArray().Average() - other.AsSpan(i, window).ToArray().Average()));
        }

        return largest;
    }
}
