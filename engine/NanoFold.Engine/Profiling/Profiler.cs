using System.Diagnostics;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Profiling;

/// <summary>
/// Runs training steps of a configuration, of text on random tokens, every other one profiled: each op of the recorded pass, each kernel, each thread's
/// work. A profiled step allocates nothing and computes the same bits.
/// </summary>
public sealed class Profiler : IDisposable
{
    private const int WarmUpSteps = 3;
    private const int LeastSteps = 5, MostSteps = 50;
    private const double SecondsOfSteps = 12;
    // Launching a step of a small model takes a GPU's host so long.
    private const double HoldMilliseconds = 15;
    private const int InitialEvents = 1 << 12;

    private readonly EventLog _log = new(InitialEvents);
    private readonly WorkLog? _work;
    private readonly Workers? _workers;
    private readonly ProfiledBackend _backend;
    private readonly Transformer _model;
    private readonly Trainer _trainer;
    private readonly LearningTask _task;
    private readonly int _places;
    private readonly int _accumulate;
    private long _step;
    private long _allocated;

    /// <param name="config">Resolved, its vocabulary known.</param>
    /// <param name="backend">Where it is computed; not disposed here.</param>
    public Profiler(RunConfig config, Backend backend)
    {
        if (backend is CpuBackend { Context.Workers: { Count: > 1 } workers })
        {
            _workers = workers;
            _work = new WorkLog(workers.Count, InitialEvents);
        }

        _log.Clock = backend.NewClock();
        _backend = new ProfiledBackend(backend, _log);
        _model = new Transformer(config.Model, _backend, new SeedSource((ulong)config.Train.Seed), config.Train.Trains);
        _task = TrainData.Sketch(config);
        _places = Math.Max(1, config.Train.Batch) * config.Model.Context;
        _accumulate = config.Train.Accumulate;
        _trainer = new Trainer(_model, config.Train, _task);
    }

    internal Transformer Model => _model;

    /// <summary>Parameters that are trained.</summary>
    public long Parameters => _model.Store.Count;

    /// <summary>Profiles as many steps as asked for, or as fit some seconds, and as many more without.</summary>
    /// <param name="peak">What the machine can reach.</param>
    /// <param name="grouping">By what ops are added up.</param>
    /// <param name="steps">Steps to profile; 0 for as many as fit.</param>
    public ProfileReport Run(Roofline peak, OpGrouping grouping = OpGrouping.Op, int steps = 0)
    {
        double once = WarmUp();
        steps = steps > 0 ? steps : (int)Math.Clamp(SecondsOfSteps / (2 * once), LeastSteps, MostSteps);
        var recordings = new List<StepRecording>(steps);
        double[] plain = new double[steps], profiled = new double[steps], allocated = new double[steps];
        for (int i = 0; i < steps; i++)
        {
            // Either comes first in turn, so that a machine that gets slower favors neither.
            if (i % 2 == 0)
            {
                plain[i] = Step();
                recordings.Add(Record());
            }
            else
            {
                recordings.Add(Record());
                plain[i] = Step();
            }

            profiled[i] = recordings[^1].Seconds;
            allocated[i] = _allocated;
        }

        StepRecording[] byTime = [.. recordings.OrderBy(r => r.Seconds)];
        StepRecording[] middle = byTime[(steps / 4)..(steps - (steps / 4))];
        return new ProfileReport(byTime[steps / 2])
        {
            Ops = ProfileRows.Ops(middle, grouping),
            Kernels = ProfileRows.Kernels(middle),
            Runs = RunRow.Of(middle),
            Grouping = grouping,
            Peak = peak,
            Steps = steps,
            StepSeconds = middle.Average(r => r.Seconds),
            TokensPerSecond = (double)_places * _accumulate / SampleStatistics.Median(plain),
            Overheads = [.. profiled.Zip(plain, (with, without) => (with / without) - 1).Order()],
            ManagedBytesPerStep = SampleStatistics.Median(allocated),
        };
    }

    public void Dispose()
    {
        _trainer.Dispose();
        _task.Dispose();
        _model.Dispose();
        _backend.Dispose();
        _log.Clock?.Dispose();
    }

    /// <summary>A step that is not profiled; its seconds.</summary>
    internal double Step()
    {
        long started = Stopwatch.GetTimestamp();
        _trainer.Step(_step++);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>A profiled step.</summary>
    internal StepRecording Record()
    {
        Profile();
        return StepRecording.Of(_trainer.Plan.Tape, _log, _work);
    }

    // Until kernels are compiled and the logs have room for a step.
    private double WarmUp()
    {
        for (int i = 0; i < WarmUpSteps; i++)
        {
            Step();
        }

        do
        {
            Profile();
        }
        while (!_log.Reserve() | !(_work?.Reserve() ?? true));
        return Step();
    }

    private void Profile()
    {
        _log.Clear();
        _work?.Clear();
        _log.Clock?.Hold(HoldMilliseconds);
        _log.IsOn = true;
        _trainer.Log = _log;
        _workers?.Observer = _work;
        long before = GC.GetAllocatedBytesForCurrentThread();
        _log.Begin(EventKind.Step, "step");
        _trainer.Step(_step++);
        _log.End();
        _log.Resolve();
        _allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        _workers?.Observer = null;
        _trainer.Log = null;
        _log.IsOn = false;
    }
}
