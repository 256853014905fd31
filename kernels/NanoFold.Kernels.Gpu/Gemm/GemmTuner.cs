using NanoFold.Kernels.Gpu.Cuda;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>What measuring a product led to.</summary>
internal readonly record struct GemmTuning(GemmChoice Before, GemmChoice After, double SecondsBefore, double SecondsAfter);

/// <summary>
/// Measures the kernels that are estimated to be the best for a product, and has the chooser keep the fastest: first tiles, each in as many slices
/// as are estimated to be best for it, and what no estimate chooses (<see cref="GemmChoice.MustBeMeasured"/>), then other slices of the best tile (which need no further kernel to be compiled).
/// </summary>
internal sealed class GemmTuner(GemmChooser chooser, IGemmTimer timer)
{
    private const int MostTiles = 6, MostOthers = 4, MostSlices = 4;

    /// <summary>Gains below this are taken for noise: the choice stays.</summary>
    private const double LeastGain = 1.02;

    /// <summary>Null for a product of which no choice is kept.</summary>
    public GemmTuning? Tune(in GemmProblem problem, GpuPrecision precision)
    {
        if (GemmProduct.Of(problem, precision) is not { } product)
        {
            return null;
        }

        GemmChoice before = chooser.Choose(problem, precision);
        IReadOnlyList<GemmChoice> candidates = chooser.Candidates(problem, precision);
        var seconds = new Dictionary<GemmChoice, double>();
        Measure(problem, [before, .. Tiles(candidates, byWarpgroups: true), .. Tiles(candidates, byWarpgroups: false), .. candidates.Where(c => c.MustBeMeasured).DistinctBy(c => c.Tile).Take(MostOthers)], seconds);
        GemmChoice best = seconds.MinBy(s => s.Value).Key;
        Measure(
            problem,
            candidates.Where(c => c.Family == best.Family && c.Tile == best.Tile && !seconds.ContainsKey(c)).OrderBy(c => Math.Abs(Math.Log2((double)c.Slices / best.Slices))).Take(MostSlices),
            seconds);
        best = seconds.MinBy(s => s.Value).Key;
        if (seconds[before] < LeastGain * seconds[best])
        {
            best = before;
        }

        chooser.Keep(product, best);
        return new GemmTuning(before, best, seconds[before], seconds[best]);
    }

    /// <summary>The best of each family of tensor cores, for the estimate says little of one beside the other.</summary>
    private static IEnumerable<GemmChoice> Tiles(IReadOnlyList<GemmChoice> candidates, bool byWarpgroups)
        => candidates.Where(c => c.Family == GemmFamily.Wgmma == byWarpgroups && !c.MustBeMeasured).DistinctBy(c => (c.Family, c.Tile)).Take(MostTiles);

    private void Measure(in GemmProblem problem, IEnumerable<GemmChoice> choices, Dictionary<GemmChoice, double> seconds)
    {
        foreach (GemmChoice choice in choices)
        {
            if (!seconds.ContainsKey(choice))
            {
                seconds.Add(choice, timer.Seconds(problem, choice));
            }
        }
    }
}

/// <summary>What measures products: a card's clock, or in tests made-up times.</summary>
internal interface IGemmTimer
{
    /// <summary>Seconds of one run by a given kernel.</summary>
    double Seconds(in GemmProblem problem, in GemmChoice choice);
}

/// <summary>Measures products between two events on the device; the best of a few samples, for what disturbs only ever takes longer.</summary>
internal sealed class CudaGemmTimer(GpuContext context, CudaMatMul products) : IGemmTimer, IDisposable
{
    private const int Samples = 3, MostCalls = 100;

    private const double SampleSeconds = 2e-3;

    /// <summary>That launching a product takes the host at most; the device is kept busy meanwhile.</summary>
    private const double LaunchMs = 0.01;

    private readonly CudaClock _clock = new(context);

    public double Seconds(in GemmProblem problem, in GemmChoice choice)
    {
        // The first call compiles kernels and may allocate.
        products.Run(problem, choice);
        double best = Sample(problem, choice, 1);
        int calls = (int)Math.Clamp(SampleSeconds / best, 1, MostCalls);
        for (int i = 0; i < Samples; i++)
        {
            best = i == 0 ? Sample(problem, choice, calls) : Math.Min(best, Sample(problem, choice, calls));
        }

        return best;
    }

    public void Dispose() => _clock.Dispose();

    private double Sample(in GemmProblem problem, in GemmChoice choice, int calls)
    {
        _clock.Clear();
        _clock.Hold(LaunchMs * (calls + 2));
        _clock.Mark();
        for (int i = 0; i < calls; i++)
        {
            products.Run(problem, choice);
        }

        return _clock.Seconds(_clock.Mark()) / calls;
    }
}
