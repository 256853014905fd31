using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// The subspaces that experts write to: principal angles between the first principal directions of what every two experts make of the tokens that they take, whichever
/// slot chose them, before the router's weights.
/// </summary>
public sealed record ExpertSubspaceMeasure : BlockMeasure
{
    private const string Choice = "mlp.hook_expert_choice", Made = "mlp.hook_expert_out";

    /// <summary>Principal directions of an expert that are compared with those of others.</summary>
    [Bounds(1, 256)]
    public int Directions { get; init; } = 8;

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override string Legend => "expert angle, overlap = mean principal angle of what two experts make, and the mean of its squared cosine";

    /// <inheritdoc/>
    public override string Subject => "experts";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("meanAngle", "expert angle °", "0"), new("subspaceOverlap", "expert overlap", "0.00")];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new(Choice), new(Made)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => ((double)shape.Points + 800) * width * width;

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => StreamingMoments.Bytes(width, 2);

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        if (block.Cloud(Choice) is not { } choices || block.Cloud(Made) is not { } made)
        {
            return;
        }

        int active = choices.Width, width = made.Width / active;
        SortedDictionary<int, List<int>> rows = [];
        for (int slot = choices.Rows.First * active; slot < choices.Count * active; slot++)
        {
            int expert = (int)choices.Values[slot];
            if (!rows.TryGetValue(expert, out List<int>? own))
            {
                rows.Add(expert, own = []);
            }

            own.Add(slot);
        }

        var spans = new List<double[]>();
        var experts = new List<int>();
        long points = 0;
        foreach ((int expert, List<int> own) in rows)
        {
            // Fewer say nothing of so many directions.
            if (own.Count >= 2 * Directions && Span(made.Values, own, width) is { } span)
            {
                experts.Add(expert);
                spans.Add(span);
                points += own.Count;
            }
        }

        Write(spans, experts, width, points, figures);
    }

    private double[]? Span(ReadOnlySpan<float> made, List<int> rows, int width)
    {
        PrincipalAxes axes = PrincipalAxes.Of(RowGather.Of(made, width, [.. rows]), rows.Count, Directions);
        return axes.Status == GeometryStatus.Ok ? [.. Enumerable.Range(0, axes.Shares.Count).Where(k => axes.Shares[k] > 1e-12).SelectMany(k => axes.Axis(k).ToArray())] : null;
    }

    private void Write(List<double[]> spans, List<int> experts, int width, long points, FigureWriter figures)
    {
        Mean means = default, overlaps = default;
        double? smallest = null;
        var overlap = new float[spans.Count * spans.Count];
        for (int i = 0; i < spans.Count; i++)
        {
            overlap[(i * spans.Count) + i] = 1;
            for (int j = i + 1; j < spans.Count; j++)
            {
                double[] angles = PrincipalAngles.Between(spans[i], spans[j], width);
                double squared = PrincipalAngles.Overlap(angles);
                means.Add(angles.Average() * (180 / Math.PI));
                overlaps.Add(squared);
                smallest = Math.Min(smallest ?? 90, angles[0] * (180 / Math.PI));
                overlap[(i * spans.Count) + j] = overlap[(j * spans.Count) + i] = (float)squared;
            }
        }

        string estimator = $"first {Directions} principal directions of experts with at least {2 * Directions} tokens, position 0 out, centered";
        figures.Add("meanAngle", means.Value, means.Status, estimator + ", mean over pairs", points);
        figures.Add("smallestAngle", smallest, means.Status, estimator + ", smallest of all pairs", points);
        figures.Add("subspaceOverlap", overlaps.Value, means.Status, "cos² of the angles: " + estimator + ", mean over pairs", points);
        figures.Add("subspaceOverlapByChance", Math.Min(1, Directions / (double)width), GeometryStatus.Ok, "of random subspaces", points);
        figures.Add("expertsCompared", experts.Count, GeometryStatus.Ok, estimator, points);
        if (figures.WantsArrays && experts.Count > 0)
        {
            figures.Array("experts", [experts.Count], [.. experts]);
            figures.Array("overlap", [experts.Count, experts.Count], overlap);
        }
    }
}
