using System.Diagnostics;
using NanoFold.Engine.Measurement;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>Times the two passes of an op in turn, so that what disturbs the machine disturbs both.</summary>
/// <param name="ForwardMs">Milliseconds of a call, one a sample.</param>
/// <param name="BackwardMs">The same of the backward pass; empty where there is none.</param>
/// <param name="YardstickMs">Milliseconds of a <see cref="Yardstick"/> between them.</param>
public sealed record KernelTiming(double[] ForwardMs, double[] BackwardMs, double[] YardstickMs)
{
    /// <summary>Samples below which no interval is worth its name.</summary>
    public const int FewestSamples = 11;

    private const int MostSamples = 100;
    private const int MostCalls = 100_000;
    private const double SecondsPerSample = 0.003;
    private const double SecondsPerCase = 3;

    /// <param name="runner">The case.</param>
    /// <param name="samples">How many, or null for as many as about three seconds allow, from 11 to 100.</param>
    public static KernelTiming Measure(OpRunner runner, int? samples = null)
    {
        runner.Run();
        int forwardCalls = Calls(runner.Backend, runner.Forward), backwardCalls = Calls(runner.Backend, runner.Backward);
        List<double> forward = [], backward = [], yardstick = [];
        var fixedWork = new Yardstick();
        long started = Stopwatch.GetTimestamp();
        while (forward.Count < (samples ?? MostSamples)
            && (samples is not null || forward.Count < FewestSamples || Stopwatch.GetElapsedTime(started).TotalSeconds < SecondsPerCase))
        {
            yardstick.Add(1000 * AlternatingTimer.Seconds(runner.Backend, fixedWork.Run, 1));
            forward.Add(1000 * AlternatingTimer.Seconds(runner.Backend, runner.Forward, forwardCalls));
            if (runner.HasBackward)
            {
                // Repeated passes share scratch memory and add to gradients: begin anew.
                runner.Run();
                backward.Add(1000 * AlternatingTimer.Seconds(runner.Backend, runner.Backward, backwardCalls));
            }
        }

        return new KernelTiming([.. forward], [.. backward], [.. yardstick]);
    }

    private static int Calls(Backend backend, Action pass)
    {
        pass();
        double once = Math.Min(AlternatingTimer.Seconds(backend, pass, 1), AlternatingTimer.Seconds(backend, pass, 1));
        return (int)Math.Clamp(SecondsPerSample / Math.Max(once, 1e-9), 1, MostCalls);
    }
}
