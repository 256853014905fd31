using NanoFold.Engine.Experiments.Baselines;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>A row of tables beside the variants: what is reached without a neural network.</summary>
/// <param name="Name">What reaches it: <c>Kneser-Ney, order 5</c>.</param>
/// <param name="Loss">In the unit of the variants' losses; null where it has none.</param>
/// <param name="BitsPerByte">Of text.</param>
/// <param name="Accuracy">The share of right labels.</param>
public sealed record ReferenceResult(string Name, double? Loss, double? BitsPerByte, double? Accuracy)
{
    /// <summary>The figure of that name; null where it has none.</summary>
    public double? Figure(string name) => name switch
    {
        FigureResult.Loss => Loss,
        "bitsPerByte" => BitsPerByte,
        Evaluation.Accuracy => Accuracy,
        _ => null,
    };

    /// <summary>Those of a comparison: of the texts and tasks of its variants, on the rows that the variants are evaluated on.</summary>
    /// <param name="config">Of the base.</param>
    /// <param name="baselines">Of its folder.</param>
    /// <param name="isOfAllHeldBack">Whether figures of variants are of all that is held back.</param>
    internal static IReadOnlyList<ReferenceResult> Of(RunConfig config, IReadOnlyList<BaselineEntry> baselines, bool isOfAllHeldBack)
    {
        string own = baselines.Count > 1 ? BaselineKey.Of(config) : "";
        return [.. baselines.SelectMany(baseline => Of(baseline, config, isOfAllHeldBack, baselines.Count > 1 && baseline.Key != own ? $" ({baseline.Name})" : ""))];
    }

    private static IEnumerable<ReferenceResult> Of(BaselineEntry baseline, RunConfig config, bool isOfAllHeldBack, string whose)
    {
        if (baseline.Best.Count > 0)
        {
            double? Best(string name) => baseline.Best.Where(score => score.Name == name).Select(score => (double?)score.Value).FirstOrDefault();
            yield return new ReferenceResult($"best possible{whose}", Best(FigureResult.Loss), Best("bitsPerByte"), Best(Evaluation.Accuracy));
        }

        if (baseline.NGram is { } counts)
        {
            NGramRows? rows = isOfAllHeldBack ? null : counts.OnRows.Where(rows => rows.Context == config.Model.Context && rows.Rows == config.Train.EvaluationWindows).Select(rows => (NGramRows?)rows).FirstOrDefault();
            yield return new ReferenceResult($"Kneser-Ney, order {counts.Order}{whose}", rows?.Loss ?? counts.Loss, rows is { } found ? found.BitsPerByte : counts.BitsPerByte, rows is null ? counts.Accuracy : null);
        }

        foreach (CompressorBaseline compressor in baseline.Compressors)
        {
            yield return new ReferenceResult($"{compressor.Name}, text known{whose}", null, compressor.AfterTraining, null);
            yield return new ReferenceResult($"{compressor.Name}, alone{whose}", null, compressor.Alone, null);
        }

        if (baseline.Guessing is { } guessing)
        {
            yield return new ReferenceResult($"guessing{whose}", guessing, null, null);
        }
    }
}
