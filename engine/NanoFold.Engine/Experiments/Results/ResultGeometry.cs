using System.Globalization;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>What was measured of the layers of each variant, and what its models do on longer rows: one row for each variant.</summary>
internal static class ResultGeometry
{
    private const string Stream = ".hook_resid_post", Spectra = "weight-spectra", Rank = "weightErank", Mixer = ".self_attn.", Projection = "_proj";

    // Those that say most on a line; geometry.jsonl and the page have all.
    private static readonly (string Head, string Measure, string Figure, string? Point, double Factor, string Format)[] s_columns =
    [
        ("first token, %", "attention", "firstTokenMass", null, 100, "0.0"),
        ("gate", "gates", "gateMean", null, 1, "0.00"),
        ("participation ratio", "spectrum", "participationRatio", Stream, 1, "0.0"),
        ("TwoNN", "twonn", "dimension", Stream, 1, "0.0"),
    ];

    /// <summary>Figures of geometry, those of a variant's layers side by side from the first on; null where nothing was measured.</summary>
    public static ResultTable? Layers(ComparisonResult result)
    {
        (string Head, Func<VariantResult, string> Cell)[] columns =
        [
            .. s_columns.Select(column => (column.Head, (Func<VariantResult, string>)(variant => Side(
                variant, variant.Geometry.Where(g => g.Measure == column.Measure && g.Figure == column.Figure && (column.Point is null || g.Point.EndsWith(column.Point, StringComparison.Ordinal))), column.Factor, column.Format)))),
            .. result.Variants.SelectMany(variant => variant.Geometry).Select(ProjectionOf).OfType<string>().Distinct()
                .Select(name => ($"rank of {name}", (Func<VariantResult, string>)(variant => Side(variant, variant.Geometry.Where(g => ProjectionOf(g) == name), 1, "0")))),
        ];
        (string Head, string[] Cells)[] filled = [.. columns.Select(column => (column.Head, Cells: result.Variants.Select(column.Cell).ToArray())).Where(column => column.Cells.Any(cell => cell.Length > 0))];
        return filled.Length == 0 ? null : new ResultTable(
            ["by layer", .. filled.Select(column => column.Head)],
            [.. result.Variants.Select((variant, i) => (string[])[variant.Name, .. filled.Select(column => column.Cells[i])])]);
    }

    /// <summary>The figure that is ranked by on rows as long as in training and longer; null where no variant was evaluated so.</summary>
    public static ResultTable? Contexts(ComparisonResult result)
    {
        int[] factors = [.. result.Variants.SelectMany(variant => variant.Contexts).Select(context => context.Factor).Distinct().Order()];
        bool isAccuracy = result.RankedBy == Tasks.Evaluation.Accuracy;
        string figure = isAccuracy ? result.RankedBy : FigureResult.Loss;
        return factors.Length < 2 ? null : new ResultTable(
            [$"{figure} on longer rows", .. factors.Select(factor => $"{factor} ×")],
            [
                .. result.Variants.Select(variant => (string[])
                [
                    variant.Name,
                    .. factors.Select(factor => variant.Contexts.FirstOrDefault(context => context.Factor == factor) is { } context ? ResultText.Figure(figure, isAccuracy ? context.Accuracy : context.Loss) : ResultText.None),
                ]),
            ]);
    }

    // model.layers.0.self_attn.q_proj.weight: q.
    private static string? ProjectionOf(GeometryResult figure)
        => figure.Measure == Spectra && figure.Figure == Rank && figure.Point.Contains(Mixer, StringComparison.Ordinal)
            && figure.Point.Split('.').FirstOrDefault(part => part.EndsWith(Projection, StringComparison.Ordinal)) is { } part ? part[..^Projection.Length] : null;

    // One after the other from layer 0 on, so that a place is a layer: those without the figure have a dash. Empty where no layer has it.
    private static string Side(VariantResult variant, IEnumerable<GeometryResult> figures, double factor, string format)
    {
        ILookup<int, string> layers = figures.ToLookup(figure => figure.Layer, figure => (figure.Mean * factor).ToString(format, CultureInfo.InvariantCulture));
        return layers.Count == 0 ? ""
            : string.Join(' ', Enumerable.Range(0, variant.Geometry.Max(figure => figure.Layer) + 1).Select(layer => layers.Contains(layer) ? string.Join('/', layers[layer]) : ResultText.None));
    }
}
