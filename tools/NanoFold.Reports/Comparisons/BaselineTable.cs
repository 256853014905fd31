using NanoFold.Engine.Experiments.Baselines;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Tasks;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Comparisons;

/// <summary>What is reached without a neural network, and what cannot be beaten.</summary>
internal static class BaselineTable
{
    /// <summary>Baselines of a figure by name.</summary>
    public static IEnumerable<(string Name, double Value)> Values(ComparisonResult result, string figure)
        => Rows(result).Where(row => row.Figure == figure).Select(row => (row.Name, row.Value));

    public static IEnumerable<ReportTable> Of(ComparisonResult result)
    {
        (string Name, string Figure, double Value, string How)[] rows = [.. Rows(result)];
        string[] figures = [.. rows.Select(row => row.Figure).Distinct()];
        return rows.Length == 0 ? [] :
        [
            new ReportTable(
                [new ReportColumn("without a neural network", IsText: true), .. figures.Select(figure => new ReportColumn(Shown.Words(figure))), new ReportColumn("how", IsText: true)],
                [
                    .. rows.GroupBy(row => (row.Name, row.How)).Select(group => (IReadOnlyList<Cell>)
                        [group.Key.Name, .. figures.Select(figure => Cell.Of(group.Where(row => row.Figure == figure).Select(row => (double?)row.Value).FirstOrDefault(), "0.0000")), new Cell(group.Key.How, Tone: Tone.Soft)]),
                ]),
        ];
    }

    private static IEnumerable<(string Name, string Figure, double Value, string How)> Rows(ComparisonResult result)
    {
        foreach (BaselineEntry baseline in result.Baselines)
        {
            string of = result.Baselines.Count > 1 ? $" ({baseline.Name})" : "";
            foreach (Score score in baseline.Guessing)
            {
                yield return ("guessing" + of, score.Name, score.Value, "one who knows nothing");
            }

            foreach (Score score in baseline.Best)
            {
                yield return ("best possible" + of, score.Name, score.Value, "known from how rows are made");
            }

            foreach (Baseline simple in baseline.Simple)
            {
                foreach (Score score in simple.Scores)
                {
                    yield return (simple.Name + of, score.Name, score.Value, "a method of the task's own");
                }
            }

            if (baseline.NGram is { } ngram)
            {
                string name = $"{ngram.Order}-gram{of}", how = $"interpolated Kneser-Ney over {Shown.Short(ngram.TrainTokens)} tokens";
                yield return (name, FigureResult.Loss, ngram.Loss, how);
                if (ngram.BitsPerByte is { } bits)
                {
                    yield return (name, "bitsPerByte", bits, how);
                }
            }

            foreach (CompressorBaseline compressor in baseline.Compressors)
            {
                yield return (compressor.Name + of, "bitsPerByte", compressor.AfterTraining, $"{compressor.Setting}, after the text trained on; {Shown.Figure(compressor.Alone, "0.000")} alone");
            }
        }
    }
}
