using System.Globalization;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Mean angle between successive steps of a token's stream from layer to layer, position 0 left out.</summary>
public sealed record LayerCurvatureMeasure : ModelMeasure
{
    /// <inheritdoc/>
    public override string Legend => "bend = mean angle between successive steps from layer to layer";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("degrees", "bend °", "0.0")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 12.0 * shape.Neighbors * width;

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => 3.0 * sizeof(float) * shape.Neighbors * width;

    /// <inheritdoc/>
    public override void Take(IReadOnlyList<PointCloud> streams, FigureWriter figures)
    {
        (int count, int width) = (streams[0].Count, streams[0].Width);
        var way = new float[streams.Count * width];
        double sum = 0;
        long angles = 0, skipped = 0;
        GeometryStatus status = GeometryStatus.TooFewPoints;
        for (int row = 0; row < count; row++)
        {
            for (int layer = 0; layer < streams.Count; layer++)
            {
                streams[layer].Values.Slice(row * width, width).CopyTo(way.AsSpan(layer * width));
            }

            Curvature one = Curvature.Measure(way, streams.Count, width);
            if (one.Status == GeometryStatus.NotFinite)
            {
                status = one.Status;
                break;
            }

            status = status == GeometryStatus.Ok ? status : one.Status;
            sum += one.Angles * (one.Degrees ?? 0);
            angles += one.Angles;
            skipped += one.Skipped;
        }

        figures.Add("degrees", angles > 0 ? sum / angles : null, status, $"mean over tokens and layers, position 0 out, {skipped} skipped", angles);
        for (int block = 1; block < streams.Count - 1; block++)
        {
            WriteTurn(streams, block, figures);
        }
    }

    // Between the step of the block before and that of the block.
    private static void WriteTurn(IReadOnlyList<PointCloud> streams, int block, FigureWriter figures)
    {
        (int count, int width) = (streams[0].Count, streams[0].Width);
        var ways = new float[count * 3 * width];
        for (int at = 0; at < 3 * count; at++)
        {
            streams[block - 1 + (at % 3)].Values.Slice(at / 3 * width, width).CopyTo(ways.AsSpan(at * width));
        }

        Curvature turn = Curvature.Measure(ways, 3, width);
        string name = "degrees." + block.ToString(CultureInfo.InvariantCulture);
        figures.Add(name, turn.Degrees, turn.Status, $"mean over tokens, position 0 out, {turn.Skipped} skipped", turn.Angles);
    }
}
