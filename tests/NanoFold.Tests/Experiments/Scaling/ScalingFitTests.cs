using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Experiments.Statistics;

namespace NanoFold.Tests.Experiments.Scaling;

/// <summary>Laws that are known are found again.</summary>
public class ScalingFitTests
{
    // As published for the models of arXiv 2203.15556, and one like those of small models on characters.
    private static readonly ScalingLaw s_published = new(1.69, 406.4, 0.34, 410.7, 0.28);
    private static readonly ScalingLaw s_small = new(1.2, 12, 0.30, 90, 0.38);

    [Test]
    public void AGridWithoutNoiseGivesTheLawBack()
    {
        foreach ((ScalingLaw law, ScalingPoint[] grid) in new[]
        {
            (s_published, Grid(s_published, Steps(4e7, 1e10, 5), Steps(1e9, 4e11, 5))),
            (s_small, Grid(s_small, Steps(1e4, 4e5, 3), Steps(2e5, 4e6, 3))),
        })
        {
            ScalingFit fit = ScalingFit.Of(grid);
            Assert.That(fit.Law.E, Is.EqualTo(law.E).Within(1e-3));
            Assert.That((fit.Law.Alpha, fit.Law.Beta), Is.EqualTo((law.Alpha, law.Beta)).Within(1e-3));
            Assert.That(fit.SizeExponent, Is.EqualTo(law.Beta / (law.Alpha + law.Beta)).Within(1e-3));
            Assert.That(fit.SizeExponent + fit.TokensExponent, Is.EqualTo(1).Within(1e-12));
            Assert.That(fit.R2, Is.GreaterThan(0.999999));
            Assert.That(fit.RmsResidual, Is.LessThan(1e-5));
            Assert.That(fit.HeldOut!.Predicted, Is.EqualTo(fit.HeldOut.Loss).Within(1e-3));
        }
    }

    [Test]
    public void NoiseIsInTheIntervals()
    {
        ScalingPoint[] grid = Grid(s_small, Steps(1e4, 4e5, 4), Steps(2e5, 4e6, 4), noise: 0.004);
        ScalingFit fit = ScalingFit.Of(grid);
        Interval size = fit.Intervals["sizeExponent"];
        Assert.That(size.Contains(s_small.SizeExponent) && size.Contains(fit.SizeExponent), Is.True, $"{size}");
        Assert.That(size.High - size.Low, Is.InRange(0.01, 0.3));
        Assert.That(fit.Intervals["e"].Contains(s_small.E) && fit.Intervals["beta"].Contains(s_small.Beta), Is.True);
        Assert.That(fit.RmsResidual, Is.InRange(0.002, 0.006));
        Assert.That(ScalingFit.Of(grid), Is.EqualTo(fit with { Intervals = fit.Intervals }).Using<ScalingFit>((a, b) => a.Law == b.Law && a.Intervals.SequenceEqual(b.Intervals)), "the same twice");
    }

    /// <summary>Of as many grids of noise as intervals promise, give or take.</summary>
    [Category("Long")]
    [TestCase(3, 3, 0.80)]
    [TestCase(4, 4, 0.90)]
    public void IntervalsOfTheExponentCoverTheTruth(int sizes, int budgets, double least)
    {
        const int Grids = 100;
        int covered = Enumerable.Range(0, Grids)
            .Count(i => ScalingFit.Of(Grid(s_small, Steps(1e4, 4e5, sizes), Steps(2e5, 4e6, budgets), noise: 0.004, seed: i), draws: 100).Intervals["sizeExponent"].Contains(s_small.SizeExponent));
        Assert.That(covered / (double)Grids, Is.InRange(least, 1));
    }

    /// <summary>A run that went wrong moves a fit of squares, not this one.</summary>
    [Test]
    public void ABadRunMovesLittle()
    {
        ScalingPoint[] grid = Grid(s_small, Steps(1e4, 4e5, 4), Steps(2e5, 4e6, 4));
        grid[5] = grid[5] with { Loss = 1.3 * grid[5].Loss };
        ScalingFit fit = ScalingFit.Of(grid);
        Assert.That(fit.SizeExponent, Is.EqualTo(s_small.SizeExponent).Within(0.01));
        Assert.That(ScalingFit.Residual(fit.Law, grid[5]), Is.EqualTo(Math.Log(1.3)).Within(0.01));
    }

    /// <summary>Of all sizes and tokens of as many FLOPs none has a smaller loss.</summary>
    [TestCase(1e12)]
    [TestCase(1e21)]
    public void TheBestSizeIsTheBest(double flops)
    {
        (double parameters, double tokens) = s_published.Best(flops);
        Assert.That(6 * parameters * tokens, Is.EqualTo(flops).Within(flops * 1e-9));
        double best = s_published.Loss(parameters, tokens);
        Assert.That(new[] { 0.5, 0.9, 1.1, 2 }.Select(factor => s_published.Loss(parameters * factor, tokens / factor)), Is.All.GreaterThan(best));
        Assert.That(s_published.Best(100 * flops).Parameters / parameters, Is.EqualTo(Math.Pow(100, 0.28 / 0.62)).Within(1e-6));
    }

    [TestCase(2, 4, "2 sizes are too few")]
    [TestCase(4, 2, "2 numbers of tokens are too few")]
    [TestCase(1, 7, "1 size is too few")]
    [TestCase(7, 1, "1 number of tokens is too few")]
    [TestCase(2, 3, "6 finished runs are too few")]
    public void TooFewRunsAreNotFitted(int sizes, int budgets, string reason)
    {
        ScalingPoint[] grid = Grid(s_small, Steps(1e4, 4e5, sizes), Steps(2e5, 4e6, budgets));
        Assert.That(ScalingFit.WhyNot(grid), Does.StartWith(reason));
        Assert.That(() => ScalingFit.Of(grid), Throws.ArgumentException.With.Message.Contains(reason));
    }

    /// <summary>Five seeds of six pairs are still six pairs.</summary>
    [Test]
    public void SeedsAreNoMorePairs()
    {
        ScalingPoint[] seeds = [.. Grid(s_small, Steps(1e4, 4e5, 3), Steps(2e5, 4e6, 3))[..^3].SelectMany(p => Enumerable.Range(0, 5).Select(i => p with { Loss = p.Loss * (1 + (0.001 * i)) }))];
        Assert.That(ScalingFit.WhyNot(seeds), Is.EqualTo("30 finished runs of 6 different pairs of size and tokens are too few for a law of five numbers; 7 pairs are needed"));
    }

    internal static ScalingPoint[] Grid(ScalingLaw law, double[] sizes, double[] tokens, double noise = 0, int seed = 3)
    {
        var random = new Random(seed);
        double Noise() => noise * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return [.. from n in sizes from d in tokens select new ScalingPoint(n, d, law.Loss(n, d) * Math.Exp(Noise()))];
    }

    internal static double[] Steps(double from, double to, int count) => [.. Enumerable.Range(0, count).Select(i => from * Math.Pow(to / from, i / (count - 1.0)))];
}
