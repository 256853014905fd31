using System.Diagnostics;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary><c>--batch auto</c>: doubles the batch while memory allows and each token gets cheaper.</summary>
internal static class BatchSize
{
    private const double WorthwhileGain = 1.03;
    private const double MemoryShare = 0.5;
    private const int LargestTokens = 1 << 16;

    /// <summary>The configured batch, or, where that is 0, the one that is measured to be fastest.</summary>
    public static int Choose(RunConfig config, LearningTask task, Backend backend, Action<string>? note, CancellationToken cancel = default)
    {
        if (config.Train.Batch > 0)
        {
            return config.Train.Batch;
        }

        long memory = (long)(DeviceMemory.Available(backend) * MemoryShare);
        int best = 1;
        double bestRate = 0;
        using var model = new Transformer(config.Model, backend, new SeedSource(1), config.Train.Trains);
        for (int batch = 1; batch == 1 || batch * config.Model.Context <= LargestTokens; batch *= 2)
        {
            cancel.ThrowIfCancellationRequested();
            TrainConfig train = config.Train with { Batch = batch, Accumulate = 1 };
            using var trainer = new Trainer(model, train, task);
            if (trainer.ArenaBytes > memory)
            {
                break;
            }

            double rate = Measure(trainer, backend, batch * config.Model.Context);
            if (rate < bestRate * WorthwhileGain)
            {
                break;
            }

            (best, bestRate) = (batch, rate);
        }

        note?.Invoke(FormattableString.Invariant($"batch {best}: fastest of those that fit ({bestRate:N0} tokens/s)"));
        return best;
    }

    // Forward and backward only: nothing is updated.
    private static double Measure(Trainer trainer, Backend backend, int tokens)
    {
        double best = 0;
        for (int i = 0; i < 3; i++)
        {
            trainer.Begin(i);
            long started = Stopwatch.GetTimestamp();
            trainer.Accumulate(0);
            backend.Synchronize();
            best = Math.Max(best, tokens / Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return best;
    }
}
