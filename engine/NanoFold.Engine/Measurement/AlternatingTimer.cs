using System.Diagnostics;
using NanoFold.Kernels;

namespace NanoFold.Engine.Measurement;

/// <summary>
/// Times several pieces of work in turn, so that a disturbance of the machine falls on all of them, and takes medians. Short ones are repeated
/// until the clock is fine enough; long ones are timed less often.
/// </summary>
internal static class AlternatingTimer
{
    private const double SecondsPerSample = 0.02;
    private const double DefaultSeconds = 2;
    private const int FewestSamples = 3;
    private const int MostSamples = 15;
    private const int MostCalls = 1000;

    /// <summary>Median seconds of a call of each work on a backend, warmed up.</summary>
    public static double[] Medians(Backend backend, params IReadOnlyList<Action> works) => Medians(backend, DefaultSeconds, works);

    /// <summary>The same within about so many seconds, but three samples of each at least.</summary>
    public static double[] Medians(Backend backend, double seconds, params IReadOnlyList<Action> works)
    {
        foreach (Action work in works)
        {
            work();
        }

        int[] calls = [.. works.Select(work => (int)Math.Clamp(SecondsPerSample / Seconds(backend, work, 1), 1, MostCalls))];
        var samples = new List<double[]>();
        long started = Stopwatch.GetTimestamp();
        do
        {
            samples.Add([.. works.Select((work, i) => Seconds(backend, work, calls[i]))]);
        }
        while (samples.Count < FewestSamples || (samples.Count < MostSamples && Stopwatch.GetElapsedTime(started).TotalSeconds < seconds));

        return [.. works.Select((_, i) => SampleStatistics.Median([.. samples.Select(sample => sample[i])]))];
    }

    /// <summary>Seconds of a call, over a few of them; waits for backends that return before the work is done.</summary>
    public static double Seconds(Backend backend, Action work, int calls)
    {
        backend.Synchronize();
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
        {
            work();
        }

        backend.Synchronize();
        return Stopwatch.GetElapsedTime(started).TotalSeconds / calls;
    }
}
