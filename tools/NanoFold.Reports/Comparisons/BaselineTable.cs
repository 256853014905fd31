using NanoFold.Engine;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Comparisons;

/// <summary>What is reached without a neural network, and what cannot be beaten.</summary>
internal static class BaselineTable
{
    public static IEnumerable<ReportTable> Of(ComparisonResult result)
    {
        string[] figures = [.. result.References.SelectMany(reference => reference.Figures).Select(figure => figure.Name).Distinct()];
        bool isSaid = result.References.Any(reference => reference.On is not null);
        return figures.Length == 0 ? [] :
        [
            new ReportTable(
                [new ReportColumn("method", IsText: true), .. figures.Select(figure => new ReportColumn(Display.Words(figure))), .. isSaid ? [new ReportColumn("on", IsText: true)] : Array.Empty<ReportColumn>()],
                [.. result.References.Select(reference => (IReadOnlyList<Cell>)[reference.Name, .. figures.Select(figure => Cell.Of(reference.Figure(figure), "0.0000")), .. isSaid ? [new Cell(reference.On ?? "")] : Array.Empty<Cell>()])])
            {
                Title = "Without a neural network", Caption = result.Baselines.Any(baseline => baseline.Compressors.Count > 0) ? "A compressor that has read the text trained on is what a model of that text compares with." : "",
            },
        ];
    }
}
