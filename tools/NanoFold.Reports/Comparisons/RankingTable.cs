using NanoFold.Engine;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Comparisons;

/// <summary>The tables of a comparison: what each variant reached and how it differs from the base; and what it takes.</summary>
internal static class RankingTable
{
    /// <summary>What each variant reached; none where no run has ended.</summary>
    public static IEnumerable<ReportTable> Of(ComparisonResult result)
    {
        string[] figures = ComparisonPage.Figures(result);
        return figures.Length == 0 ? [] : [new ReportTable(
            [
                new ReportColumn("variant", IsText: true),
                .. figures.Take(1).Select(Head),
                new ReportColumn("± over seeds", Meaning: "standard deviation of single seeds"),
                new ReportColumn("to base", Meaning: $"{result.Base}: mean of the differences seed by seed"),
                new ReportColumn("95 % interval", Meaning: "of that mean, by Student's t"),
                new ReportColumn("what that shows", IsText: true),
                .. figures.Skip(1).Select(Head),
                new ReportColumn("seeds"),
            ],
            [.. result.Variants.Select(variant => Reached(result, variant, figures))])
        {
            Title = "Ranking", Caption = $"Figures are of {(result.IsOfAllHeldBack ? "all that is held back" : "the rows of every evaluation")}, mean over seeds. A difference counts as seen where its interval leaves out 0, also after Holm's correction for the number of variants.",
        }];

        ReportColumn Head(string figure) => new(Display.Words(figure), Meaning: figure == FigureResult.Loss ? result.LossUnit : "");
    }

    /// <summary>What each variant takes.</summary>
    public static ReportTable Costs(ComparisonResult result) => new(
        [
            new ReportColumn("variant", IsText: true), new ReportColumn("parameters"), new ReportColumn("FLOPs/token"), new ReportColumn("cache/token", Meaning: "what decoding keeps"),
            new ReportColumn("tokens/s", Meaning: "of training"), new ReportColumn("time", Meaning: "of a run"), new ReportColumn("memory", Meaning: "the most that a process held"), new ReportColumn("tokens", Meaning: "of a run"), new ReportColumn("rate", Meaning: "of learning"),
        ],
        [
            .. result.Variants.Select(variant => (IReadOnlyList<Cell>)
            [
                variant.Name, Cell.Short(variant.Parameters), Cell.Short(variant.FlopsPerToken), Cell.Bytes(variant.CacheBytesPerToken),
                Cell.Short(variant.TokensPerSecond), variant.Seconds is { } seconds ? new Cell(Display.Duration(seconds), seconds) : "–", Cell.Bytes(variant.PeakBytes), Cell.Short(variant.Tokens), Cell.Of(variant.LearningRate, "0.#####"),
            ]),
        ])
    { Title = "What each variant takes" };

    private static IReadOnlyList<Cell> Reached(ComparisonResult result, VariantResult variant, string[] figures)
    {
        FigureResult? ranked = variant.Figure(result.RankedBy);
        PairedDifference? difference = ranked?.Difference;
        bool isLowerBetter = FigureResult.IsLowerBetter(result.RankedBy) ?? true;
        int seeds = variant.Runs.Count(run => run.State == CollectedState.Finished);
        return
        [
            new Cell(variant.IsBase ? $"{variant.Name} (base)" : variant.Name),
            .. figures.Take(1).Select(Mean),
            Cell.Of(ranked?.StandardDeviation, "0.0000"),
            difference is null ? new Cell("–") : new Cell(Display.Signed(difference.Mean), difference.Mean, ToneOf(difference.Verdict, isLowerBetter)),
            difference?.Interval is { } interval ? new Cell($"{Display.Signed(interval.Low)} … {Display.Signed(interval.High)}", interval.Low) : new Cell("–"),
            new Cell(variant.IsBase ? "" : Shows(difference, isLowerBetter, ranked is not null), Tone: Tone.Soft),
            .. figures.Skip(1).Select(Mean),
            new Cell($"{seeds}", seeds),
        ];

        Cell Mean(string figure) => Cell.Of(variant.Figure(figure)?.Mean, "0.0000");
    }

    // Shorter than the sentences of the terminal: the numbers stand beside it.
    private static string Shows(PairedDifference? difference, bool isLowerBetter, bool hasResult) => difference?.Verdict switch
    {
        null => hasResult ? "no seed in common with the base" : "no result",
        DifferenceVerdict.Lower => isLowerBetter ? "better" : "worse",
        DifferenceVerdict.Higher => isLowerBetter ? "worse" : "better",
        DifferenceVerdict.None => $"no difference seen{(difference.SeedsNeeded is { } needed ? $"; takes about {Display.Count(needed)} seeds" : "")}",
        DifferenceVerdict.Unknown => difference.IsSameEverywhere ? "the same at every seed; their noise is not known" : "one seed: not known",
        _ => $"may be chance, with {difference.Comparisons} compared",
    };

    private static Tone ToneOf(DifferenceVerdict verdict, bool isLowerBetter) => verdict switch
    {
        DifferenceVerdict.Lower => isLowerBetter ? Tone.Good : Tone.Bad,
        DifferenceVerdict.Higher => isLowerBetter ? Tone.Bad : Tone.Good,
        _ => Tone.Plain,
    };
}
