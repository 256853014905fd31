using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// The subspaces that heads write to: the participation ratio of each head's part of the output, W_O,h z_h, their sum beside that of all parts together, and the
/// principal angles between the first principal directions of every two heads.
/// </summary>
public sealed record HeadOutputMeasure : MixerMeasure
{
    private const string Point = "attn.hook_z";

    // Mamba-2 norms all heads together, so that their results have one point; the values have the heads.
    private const string Values = "attn.hook_v";

    /// <summary>Principal directions of a head that are compared with those of others; fewer where heads are narrower.</summary>
    [Bounds(1, 256)]
    public int Directions { get; init; } = 8;

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override string Legend => "head dim, joint dim = participation ratios of what heads write, summed over heads, and of their sum; head angle = mean principal angle of two heads";

    /// <inheritdoc/>
    public override string Subject => "heads with an output matrix of their own";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("dimension", "head dim", "0.0"), new("headDimensionSum", "Σ head dim", "0.0"), new("jointDimension", "joint dim", "0.0"), new("meanAngle", "head angle °", "0")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Want> Points => [new(Point), new(Values)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)width * width * (shape.Points + (3.0 * width));

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => StreamingMoments.Bytes(width, 4);

    /// <inheritdoc/>
    public override void Take(MixerSample mixer, FigureWriter figures)
    {
        if (mixer.Cloud(Point) is not { LaterCount: > 0 } z || HeadsOf(z, mixer.Cloud(Values)) is not { } heads || Output(mixer, z.Width) is not { } output)
        {
            return;
        }

        var outputs = new HeadOutputs(z.Later, heads, output.Values, z.LaterCount);
        int count = outputs.Count;
        const string Ratio = "participation ratio, position 0 out, centered";
        Mean dimensions = default;
        double? joint = outputs.Status == GeometryStatus.Ok ? outputs.JointDimension() : null;
        for (int head = 0; head < heads; head++)
        {
            double? dimension = outputs.Status == GeometryStatus.Ok ? outputs.Dimension(head) : null;
            dimensions.Add(dimension);
            FigureWriter own = mixer.Head(figures, head, Point);
            own.Add("dimension", dimension, outputs.Status, Ratio, count);
            own.Add("variance", outputs.Status == GeometryStatus.Ok ? outputs.Variance(head) : null, outputs.Status, "summed over elements, position 0 out", count);
        }

        figures.Add("headDimensionSum", dimensions.Value * dimensions.Count, outputs.Status, Ratio + ", summed over heads", count);
        figures.Add("jointDimension", joint, outputs.Status, Ratio, count);
        figures.Add("jointOverSum", joint / (dimensions.Value * dimensions.Count), outputs.Status, Ratio, count);
        WriteAngles(outputs, output.Rows, figures);
    }

    private static int? HeadsOf(PointCloud z, PointCloud? values) => z.Shape.Count == 2 ? z.Shape[0] : values is { Shape.Count: 2 } v && v.Width == z.Width ? v.Shape[0] : null;

    private static WeightSample? Output(MixerSample mixer, int width) =>
        (mixer.Weights("o_proj.weight") ?? mixer.Weights("out_proj.weight")) is { } output && output.Columns == width ? output : null;

    private void WriteAngles(HeadOutputs outputs, int width, FigureWriter figures)
    {
        Mean means = default, overlaps = default;
        double? smallest = null;
        double[][] directions = outputs.Status == GeometryStatus.Ok ? [.. Enumerable.Range(0, outputs.Heads).Select(head => outputs.Directions(head, Directions))] : [];
        var all = new List<double>();
        for (int i = 0; i < directions.Length; i++)
        {
            for (int j = i + 1; j < directions.Length; j++)
            {
                if (directions[i].Length > 0 && directions[j].Length > 0)
                {
                    double[] angles = PrincipalAngles.Between(directions[i], directions[j], width);
                    means.Add(angles.Average() * (180 / Math.PI));
                    overlaps.Add(PrincipalAngles.Overlap(angles));
                    smallest = Math.Min(smallest ?? 90, angles[0] * (180 / Math.PI));
                    all.AddRange([.. angles, .. Enumerable.Repeat(double.NaN, Math.Max(0, Directions - angles.Length))]);
                }
            }
        }

        GeometryStatus status = outputs.Status != GeometryStatus.Ok ? outputs.Status : means.Status;
        string estimator = $"first {Directions} principal directions, mean over pairs of heads, position 0 out, centered";
        figures.Add("meanAngle", means.Value, status, estimator, outputs.Count);
        figures.Add("smallestAngle", smallest, status, $"first {Directions} principal directions, smallest of all pairs of heads, position 0 out, centered", outputs.Count);
        figures.Add("subspaceOverlap", overlaps.Value, status, "cos² of the angles: " + estimator, outputs.Count);
        figures.Add("subspaceOverlapByChance", status == GeometryStatus.Ok ? Math.Min(1, directions.Max(d => d.Length / width) / (double)width) : null, status, "of random subspaces", outputs.Count);
        if (all.Count > 0)
        {
            figures.Array("angles", [all.Count / Directions, Directions], [.. all]);
        }
    }
}
