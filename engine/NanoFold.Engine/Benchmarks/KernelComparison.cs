using NanoFold.Engine.Measurement;

namespace NanoFold.Engine.Benchmarks;

/// <summary>
/// Timings of one build against those of another, each taken in one or several sessions. Samples of one session agree better with each other than
/// with those of another: what a process is given of memory and of its neighbors stays for its life. So the session is what counts: with several of
/// each they are paired in their order, and the interval is that of the mean of the pairs' log ratios (Student's t); of one session each the
/// interval is that of its samples and as much wider as sessions of one build have been seen to differ.
/// </summary>
/// <param name="Ratio">Median now over median then: below 1 is faster.</param>
/// <param name="Low">Of its 95 % interval.</param>
/// <param name="High">Of its 95 % interval.</param>
/// <param name="Machine">The same of the <see cref="Yardstick"/>: what the machine alone makes of it.</param>
/// <param name="Sessions">Of each, how many.</param>
public readonly record struct KernelComparison(double Ratio, double Low, double High, double Machine, int Sessions)
{
    /// <summary>Sessions from which the interval comes from their own spread.</summary>
    public const int FewestSessions = 3;

    // One session of a build against another one of it, on a machine that others used, was seen between 0.78 and 1.15.
    private const double SessionsDiffer = 1.3;

    // Differences of a hundredth are nobody's, however many sessions agree.
    private const double Unseen = 1.01;

    // Student's t at 97.5 %, by degrees of freedom from 1; the last one serves all above, a little too wide.
    private static readonly double[] s_student = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

    /// <summary>
    /// Faster or slower only where the whole interval says so, as measured and with the machine's own speed taken out; that is known no better than the
    /// rest where there are few sessions.
    /// </summary>
    public string Verdict => High < Math.Min(1, Machine / MachineDiffers) ? "faster" : Low > Math.Max(1, Machine * MachineDiffers) ? "slower" : "no difference";

    private double MachineDiffers => Sessions < FewestSessions ? SessionsDiffer : 1;

    /// <summary>Compares the newest sessions, as many as both have.</summary>
    /// <param name="now">One a session, in their order.</param>
    /// <param name="then">The same of the other build.</param>
    public static KernelComparison Of(IReadOnlyList<KernelSamples> now, IReadOnlyList<KernelSamples> then)
    {
        int sessions = Math.Min(now.Count, then.Count);
        (KernelSamples Now, KernelSamples Then)[] pairs = [.. now.TakeLast(sessions).Zip(then.TakeLast(sessions))];
        double machine = Math.Exp(pairs.Average(pair => LogRatio(pair.Now.YardstickMs, pair.Then.YardstickMs)));
        if (sessions < FewestSessions)
        {
            (double ratio, double low, double high) = SampleStatistics.MedianRatio(
                [.. pairs.SelectMany(pair => pair.Now.SamplesMs)], [.. pairs.SelectMany(pair => pair.Then.SamplesMs)]);
            return new KernelComparison(ratio, low / SessionsDiffer, high * SessionsDiffer, machine, sessions);
        }

        double[] logs = [.. pairs.Select(pair => LogRatio(pair.Now.SamplesMs, pair.Then.SamplesMs))];
        double mean = logs.Average(), deviation = Math.Sqrt(logs.Sum(l => (l - mean) * (l - mean)) / (sessions - 1));
        double half = s_student[Math.Min(sessions - 1, s_student.Length) - 1] * deviation / Math.Sqrt(sessions) + Math.Log(Unseen);
        return new KernelComparison(Math.Exp(mean), Math.Exp(mean - half), Math.Exp(mean + half), machine, sessions);
    }

    private static double LogRatio(double[] now, double[] then) => Math.Log(SampleStatistics.Median(now) / SampleStatistics.Median(then));
}
