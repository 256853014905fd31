using NanoFold.Engine;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Geometry;

/// <summary>The sections on a run's geometry.</summary>
internal static class GeometryPage
{
    // Where its quantities are, its table is too.
    private const string Lens = "logit-lens";

    /// <summary>Adds them to the page of the run: what is read first, then all that was measured while it trained.</summary>
    /// <param name="page">The page.</param>
    /// <param name="geometry">What was measured.</param>
    /// <param name="run">The run.</param>
    public static void Add(ReportPage page, RunGeometry geometry, RunRecord run)
    {
        if (geometry.While.Count + geometry.After.Count == 0)
        {
            return;
        }

        foreach (QuantityGroup group in Quantities.All)
        {
            ReportSection section = page.Section(group.Title, group.Text).Add(group.All.Select(quantity => DepthFigure.Of(geometry, quantity)).OfType<Figure>());
            if (group.All[0].Measure == Lens)
            {
                section.Add(LensTable.Of(geometry));
            }

            if (group == Quantities.All[0])
            {
                page.Section("Spectra", "Variance along the principal directions, largest first, both axes logarithmic.").Add(SpectrumFigures.Of(geometry));
                page.Section("Layers and checkpoints held against each other", "How alike two places or two times of the model are, at the same tokens.").Add(SimilarityMaps.Of(geometry));
                page.Section("Trajectories", "Ways of tokens through the layers, laid into one basis of principal axes of all layers together.").Add(TrajectoryFigures.Of(geometry));
            }
        }

        page.Section("Attention maps", "Weights of the first tokens of a window: a row is a token that looks, a column one that is looked at.").Add(AttentionMaps.Of(geometry));
        ReportSection all = page.Section("All measures", Source(geometry, run))
            .Add(GeometryFigures.OverTraining(run)).Add(GeometryFigures.Once(run)).Add(GeometryFigures.Heads(run));
        if (GeometryFigures.Table(run) is { } table)
        {
            all.Add(table);
        }
    }

    private static string Source(RunGeometry geometry, RunRecord run)
    {
        string measured = geometry.After.Count == 0
            ? $"Measured while the model trained; `nanofold geometry --model {run.Name} --controls untrained,shuffled,gaussian` adds controls, spectra and trajectories."
            : $"Measured while the model trained. The sections above are of `geometry` after training where that has the figure: {Display.Count(geometry.After.Select(point => point.Step).Distinct().Count(), "checkpoint")}.";
        return $"{measured} `docs/geometry.md` says what is looked at and when.";
    }
}
