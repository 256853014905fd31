using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>Builds a variant with other widths; null where they are not allowed.</summary>
internal delegate RunConfig? VariantBuild(IReadOnlyList<SolvedSetting> solved);

/// <summary>
/// Solves for a width: what is measured grows with it, so that the search doubles or halves until it has the budget between two widths, and then halves what is between them. Widths that the
/// model does not allow are passed over. Nothing is allocated: models are counted, not made.
/// </summary>
/// <param name="build">The variant with other widths.</param>
/// <param name="measure">What is to be equal.</param>
/// <param name="budget">How much of it there is to be.</param>
internal sealed class SizeFit(VariantBuild build, Func<RunConfig, double> measure, double budget)
{
    private const int LargestWidth = 1 << 16, LargestHidden = 1 << 18, Neighbors = 16;

    // Widths that processors like; where nothing else makes up for what they leave, finer ones.
    private const int UsualUnit = 8;

    // What is near enough to be left as it is.
    private const double Near = 0.005;

    // Small models need finer steps.
    private static readonly int[] s_hiddenUnits = [UsualUnit, 2, 1];

    private readonly List<SolvedSetting> _solved = [];

    /// <summary>What was set.</summary>
    public IReadOnlyList<SolvedSetting> Solved => _solved;

    /// <summary>What is left of the difference, as a share of the budget.</summary>
    public double Residual { get; private set; }

    /// <summary>Sets widths until the budget is met.</summary>
    /// <param name="config">The variant as it is written.</param>
    /// <param name="width">Whether <c>model.width</c> may change.</param>
    /// <param name="hidden">Whether <c>model.hidden</c> may change.</param>
    public void Run(RunConfig config, bool width, bool hidden)
    {
        Residual = Off(config);
        string? hiddenKey = hidden ? HiddenKey(config) : null;
        if (width && Math.Abs(Residual) > Near / 5 && WidthUnit(config, refined: hiddenKey is not null) is { } unit)
        {
            Solve("model.width", config.Model.Width, unit, LargestWidth);
        }

        if (hiddenKey is not null && Math.Abs(Residual) > (width ? Near : Near / 5) && build(_solved) is { } found)
        {
            foreach (int step in s_hiddenUnits.TakeWhile(step => step == UsualUnit || Math.Abs(Residual) > 2 * Near))
            {
                Solve(hiddenKey, found.Model.Hidden, step, LargestHidden);
            }
        }
    }

    private double Off(RunConfig config)
    {
        try
        {
            return measure(config) / budget - 1;
        }
        catch (OverflowException)
        {
            return double.PositiveInfinity;
        }
    }

    // The key that the hidden width of the feed-forwards follows, or null where there is none.
    private string? HiddenKey(RunConfig config)
        => new[] { "model.hidden", "model.feedForward.hidden" }.FirstOrDefault(key => build([new SolvedSetting { Key = key, To = 2L * config.Model.Hidden }]) is { } larger && Off(larger) > Off(config));

    // The step between allowed widths: that of the heads where they divide the width, and their halves where positions turn them.
    private int? WidthUnit(RunConfig config, bool refined)
    {
        int heads = config.Model.Heads;
        int[] units = refined ? [UsualUnit, Multiple(UsualUnit, heads), Multiple(UsualUnit, 2 * heads)] : [2, 4, heads, 2 * heads, Multiple(UsualUnit, heads), Multiple(UsualUnit, 2 * heads)];
        foreach (int unit in units)
        {
            long first = Math.Max(1, config.Model.Width / unit);
            if (Enumerable.Range(0, 3).All(i => build([new SolvedSetting { Key = "model.width", To = (first + i) * unit }]) is not null))
            {
                return unit;
            }
        }

        return null;
    }

    private static int Multiple(int a, int b)
    {
        int x = a, y = b;
        while (y != 0)
        {
            (x, y) = (y, x % y);
        }

        return a / x * b;
    }

    private void Solve(string key, int from, int unit, int largest)
    {
        var known = new Dictionary<long, (double Off, long At)>();
        (double Off, long At) At(long k)
        {
            if (!known.TryGetValue(k, out (double Off, long At) found))
            {
                found = (double.PositiveInfinity, k);
                for (long i = k; i < k + Neighbors && i * unit <= largest; i++)
                {
                    if (build([.. _solved.Where(solved => solved.Key != key), new SolvedSetting { Key = key, To = i * unit }]) is { } config)
                    {
                        found = (Off(config), i);
                        break;
                    }
                }

                known[k] = found;
            }

            return found;
        }

        long low = 0, high = Math.Max(1, from / unit);
        while (high * unit <= largest && At(high).Off <= 0)
        {
            (low, high) = (high, 2 * high);
        }

        while (high - low > 1)
        {
            long middle = low + ((high - low) / 2);
            (low, high) = At(middle).Off <= 0 ? (middle, high) : (low, middle);
        }

        (double off, long best) = new[] { low, high }.Where(k => k >= 1).Select(At).MinBy(found => Math.Abs(found.Off));
        if (Math.Abs(off) < Math.Abs(Residual) || !double.IsFinite(Residual))
        {
            _solved.RemoveAll(solved => solved.Key == key);
            _solved.Add(new SolvedSetting { Key = key, From = from, To = best * unit });
            Residual = off;
        }
    }
}
