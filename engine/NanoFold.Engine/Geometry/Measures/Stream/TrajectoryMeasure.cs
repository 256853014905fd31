using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// The ways of tokens through the layers in one basis: principal axes of the streams before the first block and after each, taken together. The figures say how
/// much of the variance the axes show; the coordinates are an array.
/// </summary>
public sealed record TrajectoryMeasure : ModelMeasure
{
    /// <summary>Principal axes.</summary>
    [Bounds(1, 16)]
    public int Axes { get; init; } = 3;

    /// <summary>Tokens whose ways are laid in the basis.</summary>
    [Bounds(2, 1 << 16)]
    public int Tokens { get; init; } = 256;

    /// <inheritdoc/>
    public override string Legend => "share.I = share of the variance of all layers' streams along their principal axis I";

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (((double)Math.Min(Tokens, shape.Neighbors) / 2) + 500) * width * width;

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => StreamingMoments.Bytes(width, 1);

    /// <inheritdoc/>
    public override void Take(IReadOnlyList<PointCloud> streams, FigureWriter figures)
    {
        int n = Math.Min(Tokens, streams[0].NeighborCount), d = streams[0].Width;
        var rows = new float[streams.Count * n * d];
        for (int layer = 0; layer < streams.Count; layer++)
        {
            streams[layer].NeighborValues[..(n * d)].CopyTo(rows.AsSpan(layer * n * d));
        }

        PrincipalAxes basis = PrincipalAxes.Of(rows, streams.Count * n, Axes);
        for (int axis = 0; axis < Math.Min(Axes, d); axis++)
        {
            double? share = basis.Status == GeometryStatus.Ok ? basis.Shares[axis] : null;
            figures.Add("share." + (axis + 1).ToString(CultureInfo.InvariantCulture), share, basis.Status, $"principal axes of {streams.Count} depths together, centered, position 0 out", n);
        }

        if (figures.WantsArrays && basis.Status == GeometryStatus.Ok)
        {
            SampledRows sampled = streams[0].Rows;
            figures.Array("coordinates", [streams.Count, n, basis.Shares.Count], basis.Coordinates(rows));
            figures.Array("tokens", [n], sampled.Tokens.AsSpan(sampled.First, n));
            figures.Array("positions", [n], sampled.Positions.AsSpan(sampled.First, n));
        }
    }
}
