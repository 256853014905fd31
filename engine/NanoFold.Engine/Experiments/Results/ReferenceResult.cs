using NanoFold.Engine.Experiments.Baselines;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>A row of tables beside the variants: what is reached without a neural network.</summary>
/// <param name="Name">What reaches it: <c>Kneser-Ney, order 5</c>.</param>
/// <param name="Figures">By the names of the variants' figures: <c>loss</c>, <c>bitsPerByte</c>, <c>accuracy</c>.</param>
public sealed record ReferenceResult(string Name, IReadOnlyList<Score> Figures)
{
    /// <summary>What all is.</summary>
    public const string OfAll = "all that is held back";

    /// <summary>What the rows of evaluations on the way are.</summary>
    public const string OfRows = "the rows of every evaluation";

    /// <summary>What the figures are of: <see cref="OfAll"/> or <see cref="OfRows"/>; null in files of older versions.</summary>
    public string? On { get; init; }

    /// <summary>The figure of that name; null where it has none.</summary>
    public double? Figure(string name) => Figures.Where(figure => figure.Name == name).Select(figure => (double?)figure.Value).FirstOrDefault();

    /// <summary>Those of a comparison: of the texts and tasks of its variants, on the rows that the variants are evaluated on.</summary>
    /// <param name="config">Of the base.</param>
    /// <param name="baselines">Of its folder.</param>
    /// <param name="isOfAllHeldBack">Whether figures of variants are of all that is held back.</param>
    internal static IReadOnlyList<ReferenceResult> Of(RunConfig config, IReadOnlyList<BaselineEntry> baselines, bool isOfAllHeldBack)
    {
        string own = baselines.Count > 1 ? BaselineKey.Of(config) : "";
        return
        [
            .. from entry in baselines
               from reference in Of(entry, config, isOfAllHeldBack)
               where reference.Figures.Count > 0
               select baselines.Count > 1 && entry.Key != own ? reference with { Name = $"{reference.Name} ({entry.Name})" } : reference,
        ];
    }

    private static IEnumerable<ReferenceResult> Of(BaselineEntry entry, RunConfig config, bool isOfAllHeldBack)
    {
        yield return new ReferenceResult("best possible", entry.Best) { On = OfAll };
        foreach (Baseline simple in entry.Simple)
        {
            yield return new ReferenceResult(simple.Name, simple.Scores) { On = OfAll };
        }

        if (entry.NGram is { } counts)
        {
            (int context, long asked) = BaselineMaker.RowsOf(config);
            NGramRows? rows = isOfAllHeldBack ? null : counts.On(context, asked);
            double? bits = rows is { } found ? found.BitsPerByte : counts.BitsPerByte;
            yield return new ReferenceResult($"Kneser-Ney, order {counts.Order}", [new Score(FigureResult.Loss, rows?.Loss ?? counts.Loss), .. bits is { } length ? [new Score(FigureResult.BitsPerByte, length)] : Array.Empty<Score>()]) { On = rows is null ? OfAll : OfRows };
        }

        foreach (CompressorBaseline compressor in entry.Compressors)
        {
            yield return new ReferenceResult($"{compressor.Name} after the text", [new Score(FigureResult.BitsPerByte, compressor.AfterTraining)]) { On = OfAll };
            yield return new ReferenceResult($"{compressor.Name} alone", [new Score(FigureResult.BitsPerByte, compressor.Alone)]) { On = OfAll };
        }

        yield return new ReferenceResult("guessing", entry.Guessing) { On = OfAll };
    }
}
