using System.Diagnostics;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Profiling;

/// <summary>What the runs of the worker pool for one kernel take of a training step, as means over the steps that count.</summary>
/// <param name="Name">Of the kernel.</param>
/// <param name="Runs">In a step.</param>
/// <param name="Items">In a step.</param>
/// <param name="Seconds">From their beginnings to their ends.</param>
/// <param name="BusySeconds">Of all threads together, from where one begins its first item to where it finds none.</param>
/// <param name="ThreadSeconds">What the threads that could have had an item had together.</param>
/// <param name="Threads">That did an item, in a run.</param>
/// <param name="SecondsToSecond">Until a second thread was there, in a run where one came.</param>
public sealed record RunRow(string Name, double Runs, double Items, double Seconds, double BusySeconds, double ThreadSeconds, double Threads, double SecondsToSecond)
{
    /// <summary>Share of the threads' time in which they waited for the last one, or had not come yet.</summary>
    public double IdleShare => ThreadSeconds > 0 ? Math.Max(0, 1 - (BusySeconds / ThreadSeconds)) : 0;

    internal static IReadOnlyList<RunRow> Of(IReadOnlyList<StepRecording> steps)
    {
        var sums = new Dictionary<Type, Sum>();
        foreach (StepRecording step in steps)
        {
            var next = new int[step.Work.Length];
            foreach (WorkEvent run in step.Runs)
            {
                if (!sums.TryGetValue(run.Work, out Sum? sum))
                {
                    sums.Add(run.Work, sum = new Sum());
                }

                sum.Add(run, step.Work, next);
            }
        }

        return [.. sums.Select(kernel => kernel.Value.Row(KernelName.Of(kernel.Key), steps.Count)).OrderByDescending(row => row.Seconds)];
    }

    private sealed class Sum
    {
        private long _runs, _items, _ticks, _busy, _room, _threads, _pairs, _toSecond;

        /// <param name="run">One run.</param>
        /// <param name="work">What each thread did.</param>
        /// <param name="next">What of that has not been counted yet; moved on.</param>
        public void Add(in WorkEvent run, WorkEvent[][] work, int[] next)
        {
            _runs++;
            _items += run.Items;
            _ticks += run.Ended - run.Started;
            _room += Math.Min(run.Items, work.Length) * (run.Ended - run.Started);
            long second = long.MaxValue;
            for (int worker = 0; worker < work.Length; worker++)
            {
                for (; next[worker] < work[worker].Length && work[worker][next[worker]] is var part && part.Started <= run.Ended; next[worker]++)
                {
                    if (part.Items > 0 && part.Started >= run.Started)
                    {
                        _threads++;
                        _busy += part.Ended - part.Started;
                        second = worker > 0 ? Math.Min(second, part.Started) : second;
                    }
                }
            }

            if (second < long.MaxValue)
            {
                _pairs++;
                _toSecond += second - run.Started;
            }
        }

        public RunRow Row(string name, double steps)
        {
            double second = steps * Stopwatch.Frequency;
            return new RunRow(
                name, _runs / steps, _items / steps, _ticks / second, _busy / second, _room / second, (double)_threads / _runs, _pairs == 0 ? 0 : (double)_toSecond / _pairs / Stopwatch.Frequency);
        }
    }
}
