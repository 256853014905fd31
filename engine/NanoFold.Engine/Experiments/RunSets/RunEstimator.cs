using System.Diagnostics;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Experiments;

/// <summary>What a run is going to take, before it begins.</summary>
/// <param name="Steps">Planned; 0 where only the time ends it.</param>
/// <param name="Tokens">Trained on.</param>
/// <param name="Flops">Of training, by <see cref="CostModel.FlopsPerToken"/>.</param>
/// <param name="ResidentBytes">Of its process, by plan; of a device's memory in place of the host's where one computes.</param>
/// <param name="TokensPerSecond">Measured in some steps.</param>
/// <param name="Seconds">Of the run with its evaluations and the start of its process.</param>
public sealed record RunEstimate(long Steps, double Tokens, double Flops, long ResidentBytes, double TokensPerSecond, double Seconds)
{
    /// <summary>Whether the run has come to its end, so that nothing of it is left.</summary>
    public bool IsOver { get; init; }
}

/// <summary>Estimates runs by their plans and by a few steps of each model on what its task is in shape; those that differ in seeds and rates are measured once.</summary>
/// <param name="backend">Where runs are computed, with the threads of one run.</param>
public sealed class RunEstimator(Backend backend)
{
    // Compiling comes first; then steps until their median is worth something.
    private const int WarmUpSteps = 2, LeastSteps = 3, MostSteps = 50;
    private const double SecondsOfSteps = 0.4;

    // An evaluated token has no backward pass.
    private const double EvaluatedShare = 1.0 / 3;

    // Runtime and kernels, before the first step and in it.
    private const double StartSeconds = 2;

    private readonly RunWorks _works = new();
    private readonly Dictionary<string, (long Bytes, double TokensPerSecond, long? Held)> _measured = [];

    /// <summary>What a run takes.</summary>
    /// <param name="config">Resolved, its vocabulary known or not.</param>
    /// <exception cref="UserException">It cannot be trained here.</exception>
    public RunEstimate Of(RunConfig config)
    {
        RunConfig known = RunVocab.Expect(config);
        RunWork work = _works.Of(known);
        if (!_measured.TryGetValue(work.Key, out (long Bytes, double TokensPerSecond, long? Held) found))
        {
            RunMemory memory = RunMemory.Of(known, backend);
            found = (backend.FreeBytes is null ? memory.ResidentBytes : memory.DeviceBytes, Measure(known), HeldBack(known));
            _measured[work.Key] = found;
        }

        double seconds = StartSeconds + ((work.Tokens + (EvaluatedShare * EvaluatedTokens.Of(known, found.Held, work.Steps))) / found.TokensPerSecond);
        return new RunEstimate(work.Steps, work.Tokens, work.Flops, found.Bytes, found.TokensPerSecond, work.Steps == 0 || work.Seconds < seconds ? work.Seconds ?? 0 : seconds);
    }

    /// <summary>What is left of a run of a set: nothing of one that is over, otherwise what comes after its last checkpoint.</summary>
    /// <param name="config">Resolved, its vocabulary known or not.</param>
    /// <param name="folder">Of the run, which need not be there.</param>
    /// <exception cref="UserException">It cannot be trained here, or its folder cannot be read.</exception>
    public RunEstimate LeftOf(RunConfig config, string folder)
    {
        RunEstimate whole = Of(config);
        bool isOver = RunResult.Find(folder) is { IsOver: true };
        double left = isOver ? 0
            : whole.Steps > 0 && new CheckpointFolder(Path.Combine(folder, RunFolder.CheckpointsFolder)).Newest() is { } checkpoint ? Math.Max(0, 1 - ((double)checkpoint.Step / whole.Steps))
            : 1;
        return whole with { Steps = (long)Math.Round(left * whole.Steps), Tokens = left * whole.Tokens, Flops = left * whole.Flops, Seconds = left * whole.Seconds, IsOver = isOver };
    }

    private double Measure(RunConfig config)
    {
        TrainConfig train = config.Planned() with { Batch = Math.Max(1, config.Train.Batch) };
        using var model = new Transformer(config.Model, backend, new SeedSource((ulong)train.Seed), train.Trains);
        using LearningTask task = TrainData.Sketch(config);
        using var trainer = new Trainer(model, train, task);
        var seconds = new List<double>();
        for (int step = 0; step < WarmUpSteps + MostSteps && (seconds.Count < LeastSteps || seconds.Sum() < SecondsOfSteps); step++)
        {
            long began = Stopwatch.GetTimestamp();
            trainer.Step(step);
            backend.Synchronize();
            if (step >= WarmUpSteps)
            {
                seconds.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
            }
        }

        return (double)train.Batch * train.Accumulate * config.Model.Context / SampleStatistics.Median([.. seconds]);
    }

    // A text is read for it, from the cache where it was tokenized before; of one that is not there yet nothing is known.
    private static long? HeldBack(RunConfig config)
    {
        try
        {
            using LearningTask task = config.Task.Open(TrainData.ContextOf(config with { Model = config.Model.Resolve() }));
            return task.Places(TaskSplit.Validation);
        }
        catch (UserException)
        {
            return null;
        }
    }
}
