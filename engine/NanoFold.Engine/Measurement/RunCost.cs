using System.Diagnostics;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Engine.Measurement;

/// <summary>What it costs to begin and to end a run of a worker pool: one whose items do nothing.</summary>
public static class RunCost
{
    private const int Rounds = 200;
    private const int RunsPerRound = 50;

    /// <summary>Seconds of a run with one item for each thread: the median of many rounds.</summary>
    public static double Measure(int threads)
    {
        using var workers = new Workers(threads);
        var nothing = new Nothing();
        var seconds = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            long started = Stopwatch.GetTimestamp();
            for (int run = 0; run < RunsPerRound; run++)
            {
                workers.Run(threads, ref nothing);
            }

            seconds[round] = Stopwatch.GetElapsedTime(started).TotalSeconds / RunsPerRound;
        }

        return SampleStatistics.Median(seconds);
    }

    private struct Nothing : IWork
    {
        public readonly void Invoke(long item, int worker)
        {
        }
    }
}
