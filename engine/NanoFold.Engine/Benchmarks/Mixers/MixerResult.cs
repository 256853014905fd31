using System.Diagnostics;
using NanoFold.Engine.Measurement;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks.Mixers;

/// <summary>What a mixer takes, by medians.</summary>
/// <param name="Case">Its shape.</param>
/// <param name="ForwardSeconds">Of mixing a batch, without the linear layers before and after it.</param>
/// <param name="BackwardSeconds">Its backward pass, likewise.</param>
/// <param name="LinearSeconds">Of the linear layers, both passes.</param>
/// <param name="TokenSeconds">One token of one sequence after a whole context but for its end, linear layers included.</param>
/// <param name="TimeOfAttention">Both passes of mixing over those of dense attention, each pair of runs by turns; 1 for that itself.</param>
/// <param name="ArenaBytes">Activations, their gradients and scratch at their peak.</param>
/// <param name="StateBytes">What decoding keeps of one sequence.</param>
/// <param name="Flops">See <see cref="MixerCase.Flops"/>.</param>
public sealed record MixerResult(
    MixerCase Case, double ForwardSeconds, double BackwardSeconds, double LinearSeconds, double TokenSeconds, double TimeOfAttention, long ArenaBytes, long StateBytes, double Flops)
{
    private const int FewestRounds = 3;
    private const int MostRounds = 15;
    private const double SecondsOfRounds = 1.5;
    // A round of so many seconds is long enough to be taken once.
    private const double LongRound = 4;
    private const double SecondsOfTokens = 0.3;

    /// <summary>Of mixing, both passes.</summary>
    public double MixingSeconds => ForwardSeconds + BackwardSeconds;

    /// <summary>By <see cref="Flops"/>.</summary>
    public double FlopsPerSecond => Flops / MixingSeconds;

    /// <summary>Times several mixers of one shape, each by turns with the first, which is dense attention.</summary>
    /// <param name="dense">Attention of the same shape.</param>
    /// <param name="others">What else is timed.</param>
    /// <param name="backend">Where.</param>
    /// <param name="done">Told of each result as it comes.</param>
    public static IReadOnlyList<MixerResult> Measure(MixerCase dense, IReadOnlyList<MixerCase> others, Backend backend, Action<MixerResult>? done = null)
    {
        var results = new List<MixerResult>();
        using MixerRun beside = Open(dense, backend);
        foreach (MixerCase shape in others)
        {
            using MixerRun? run = shape == dense ? null : Open(shape, backend);
            results.Add(Of(shape, run ?? beside, run is null ? null : beside, backend));
            done?.Invoke(results[^1]);
        }

        return results;
    }

    private static MixerRun Open(MixerCase shape, Backend backend)
    {
        var run = new MixerRun(shape, backend);
        try
        {
            DeviceMemory.Require(run.Training.ArenaBytes, $"{shape.Kind} at context {shape.Context}", "a smaller --batch or --context", backend);
            run.Bind();
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    private static MixerResult Of(MixerCase shape, MixerRun run, MixerRun? beside, Backend backend)
    {
        List<MixerSeconds> own = [], dense = [];
        run.Run();
        long started = Stopwatch.GetTimestamp();
        double seconds;
        do
        {
            own.Add(run.Run());
            dense.Add(beside?.Run() ?? own[^1]);
            seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        }
        while (own.Count < MostRounds && seconds < (own.Count < FewestRounds ? LongRound : SecondsOfRounds));

        double token = AlternatingTimer.Medians(backend, SecondsOfTokens, run.Decoding())[0];
        return new MixerResult(
            shape,
            Median(own, s => s.Forward),
            Median(own, s => s.Backward),
            Median(own, s => s.Linear),
            token,
            SampleStatistics.Median([.. own.Zip(dense, (o, d) => o.Mixing / d.Mixing)]),
            run.Training.ArenaBytes,
            run.StateBytes,
            shape.Flops);
    }

    private static double Median(List<MixerSeconds> runs, Func<MixerSeconds, double> part) => SampleStatistics.Median([.. runs.Select(part)]);
}
