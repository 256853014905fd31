using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>What tokens are sorted by.</summary>
public enum TokenOrder
{
    /// <summary>The position in the window: how much a causal model may see.</summary>
    Position,

    /// <summary>How many tokens of the same document come before it in the window.</summary>
    Context,
}

/// <summary>
/// Dimension against position or context: TwoNN, calibrated, and participation ratio of as many tokens early, later and late. All bins hold as many tokens, for
/// figures of different N do not compare.
/// </summary>
public sealed record DimensionBinMeasure : PointMeasure
{
    /// <summary>What tokens are sorted by: <c>position</c> in the window, or <c>context</c>, the tokens of the same document before it.</summary>
    public TokenOrder By { get; init; }

    /// <summary>Bins of as many tokens each.</summary>
    [Bounds(2, 64)]
    public int Bins { get; init; } = 4;

    /// <inheritdoc/>
    public override string Legend => "early, late = TwoNN of the tokens of the first and of the last bin";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("dimension.1", "early", "0.0"), new(string.Create(CultureInfo.InvariantCulture, $"dimension.{Bins}"), "late", "0.0")];

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (DimensionFigures.Work(shape, width) / Bins) + ((double)shape.Neighbors * width * width / 2);

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) =>
        NearestNeighbors.Bytes(shape.Neighbors / Bins, width, 2) + StreamingMoments.Bytes(width, 2);

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        int first = cloud.Rows.First, n = cloud.NeighborCount, size = n / Bins, d = cloud.Width;
        int[] places = By == TokenOrder.Position ? cloud.Rows.Positions : cloud.Rows.Contexts;
        int[] order = [.. Enumerable.Range(0, n).OrderBy(row => places[first + row])];
        for (int bin = 0; bin < Bins; bin++)
        {
            int[] rows = order[(bin * size)..((bin + 1) * size)];
            Write(figures, bin, RowGather.Of(cloud.NeighborValues, d, rows), d, size, Array.ConvertAll(rows, row => places[first + row]));
        }
    }

    private void Write(FigureWriter figures, int bin, float[] values, int d, int size, int[] places)
    {
        string suffix = "." + (bin + 1).ToString(CultureInfo.InvariantCulture);
        if (size < 3)
        {
            figures.Add("dimension" + suffix, null, GeometryStatus.TooFewPoints, "twonn", size);
            return;
        }

        string range = $"{(By == TokenOrder.Position ? "positions" : "tokens before")} {places[0]}–{places[^1]}";
        DimensionFigures.Write(figures, suffix, DimensionMethod.TwoNNFit().Estimate(NearestNeighbors.Search(values, size, d, 2)), d, range);
        var moments = new StreamingMoments(d);
        moments.Add(values, size);
        SpectrumSummary spectrum = moments.Summarize();
        figures.Add("participationRatio" + suffix, spectrum.ParticipationRatio, spectrum.Status, $"covariance, centered, {range}", size);
        figures.Add("median" + suffix, places[size / 2], GeometryStatus.Ok, range, size);
    }
}
