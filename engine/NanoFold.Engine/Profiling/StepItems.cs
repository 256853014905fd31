using System.Diagnostics;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Profiling;

/// <summary>The runs of work items in a training step, with what each of them takes on one thread.</summary>
/// <param name="Runs">In their order.</param>
/// <param name="SerialSeconds">Of a step, in no item: what the thread that drives it does between them.</param>
public sealed record StepItems(IReadOnlyList<ItemTimes> Runs, double SerialSeconds)
{
    private const int WarmUpSteps = 3;

    /// <summary>Of a step on one thread.</summary>
    public double Seconds => SerialSeconds + Runs.Sum(run => run.Total);

    /// <summary>Medians over some steps, on random tokens.</summary>
    /// <param name="config">Resolved, its vocabulary known.</param>
    /// <param name="backend">With one thread.</param>
    /// <param name="steps">How many steps are looked at.</param>
    public static StepItems Measure(RunConfig config, CpuBackend backend, int steps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfNotEqual(backend.Context.Workers.Count, 1);
        using var model = new Transformer(config.Model, backend, new SeedSource((ulong)config.Train.Seed), config.Train.Trains);
        using LearningTask task = TrainData.Sketch(config);
        using var trainer = new Trainer(model, config.Train, task);
        var log = new ItemLog();
        var serial = new double[steps];
        var ticks = new List<long[]>[steps];
        for (int step = 0; step < WarmUpSteps; step++)
        {
            trainer.Step(step);
        }

        backend.Context.Workers.Items = log;
        for (int i = 0; i < steps; i++)
        {
            log.Clear();
            long started = Stopwatch.GetTimestamp();
            trainer.Step(WarmUpSteps + i);
            long taken = Stopwatch.GetTimestamp() - started;
            ticks[i] = [.. Enumerable.Range(0, log.Runs).Select(run => log.Ticks(run).ToArray())];
            serial[i] = Seconds(taken - ticks[i].Sum(run => run.Sum()));
        }

        backend.Context.Workers.Items = null;
        // Steps do the same work; one that differs (a norm that cuts) has other runs and counts for none.
        List<long[]>[] alike = [.. ticks.Where(t => t.Select(run => run.Length).SequenceEqual(ticks[^1].Select(run => run.Length)))];
        ItemTimes[] runs =
        [
            .. Enumerable.Range(0, log.Runs).Select(run => new ItemTimes(
                KernelName.Of(log.Work(run)),
                log.IsShared(run),
                log.IsPart(run),
                [.. Enumerable.Range(0, alike[0][run].Length).Select(item => SampleStatistics.Median([.. alike.Select(step => Seconds(step[run][item]))]))])),
        ];
        return new StepItems(runs, SampleStatistics.Median(serial));

        static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;
    }
}

/// <summary>What the items of one run of the worker pool take on one thread.</summary>
/// <param name="Name">Of the kernel.</param>
/// <param name="IsShared">False where so little is done that one thread does it.</param>
/// <param name="IsPart">Whether several cores would do it as the beginning of the run that follows.</param>
/// <param name="Seconds">Of each item.</param>
public sealed record ItemTimes(string Name, bool IsShared, bool IsPart, IReadOnlyList<double> Seconds)
{
    public double Total => Seconds.Sum();

    /// <summary>Whether several cores have a part in it.</summary>
    public bool HasMany => IsShared && Seconds.Count > 1;

    /// <summary>How long they take on so many cores: each begins with its share of neighbors and then helps the next, as the pool does.</summary>
    public double On(int cores)
    {
        int workers = HasMany ? Math.Min(cores, Seconds.Count) : 1;
        var next = new int[workers];
        var free = new double[workers];
        for (int worker = 0; worker < workers; worker++)
        {
            next[worker] = First(worker);
        }

        for (int done = 0; done < Seconds.Count; done++)
        {
            int worker = Array.IndexOf(free, free.Min()), owner = worker;
            while (next[owner] == First(owner + 1))
            {
                owner = (owner + 1) % workers;
            }

            free[worker] += Seconds[next[owner]++];
        }

        return free.Max();

        int First(int worker) => (Seconds.Count / workers * worker) + Math.Min(worker, Seconds.Count % workers);
    }
}
