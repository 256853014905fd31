namespace NanoFold.Engine.Profiling;

/// <summary>
/// What a training step would take on a number of cores, said from the items of one thread: each run of the pool takes as long as the core that is last, and so
/// long again as it costs to begin and end it. That cores share memory and caches, and that many of them run at a lower clock, is not in it: a lower bound.
/// </summary>
/// <param name="Cores">How many.</param>
/// <param name="SharedSeconds">The items, were they shared evenly.</param>
/// <param name="UnevenSeconds">What the last core of each run takes more than that.</param>
/// <param name="SerialSeconds">What one thread does while the others wait.</param>
/// <param name="RunSeconds">Beginning and ending runs.</param>
public sealed record CoreForecast(int Cores, double SharedSeconds, double UnevenSeconds, double SerialSeconds, double RunSeconds)
{
    public double Seconds => SharedSeconds + UnevenSeconds + SerialSeconds + RunSeconds;

    /// <param name="items">Of a step.</param>
    /// <param name="cores">How many there would be.</param>
    /// <param name="secondsPerRun">What it costs to begin and end a run on them.</param>
    public static CoreForecast Of(StepItems items, int cores, double secondsPerRun)
    {
        ItemTimes[] shared = [.. items.Runs.Where(run => run.HasMany)];
        double even = shared.Sum(run => run.Total) / cores;
        return new CoreForecast(
            cores, even, shared.Sum(run => run.On(cores)) - even, items.SerialSeconds + items.Runs.Where(run => !run.HasMany).Sum(run => run.Total), cores == 1 ? 0 : secondsPerRun * shared.Count(run => !run.IsPart));
    }

    /// <summary>Kernels by what is lost with them on so many cores, beside an even share.</summary>
    public static IReadOnlyList<LostTime> Lost(StepItems items, int cores) =>
    [
        .. items.Runs.GroupBy(run => run.Name)
            .Select(kernel => new LostTime(kernel.Key, kernel.Count(), kernel.Sum(run => run.Seconds.Count), kernel.Sum(run => run.Total), kernel.Sum(run => run.On(cores) - (run.Total / cores))))
            .OrderByDescending(kernel => kernel.LostSeconds),
    ];
}

/// <summary>What a kernel's runs take, and what is lost of a step's time because they cannot be shared evenly.</summary>
/// <param name="Name">Of the kernel.</param>
/// <param name="Runs">In a step.</param>
/// <param name="Items">In a step.</param>
/// <param name="Seconds">In a step, on one thread.</param>
/// <param name="LostSeconds">In a step, on the cores that were asked for.</param>
public sealed record LostTime(string Name, int Runs, int Items, double Seconds, double LostSeconds);
