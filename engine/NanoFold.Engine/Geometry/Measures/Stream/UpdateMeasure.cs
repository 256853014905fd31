using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// What mixer and feed-forward add to the stream, Δ against x before it: mean ‖Δ‖/‖x‖, mean cos(Δ, x) and mean ‖x + Δ‖/‖x‖ over the sampled tokens.
/// </summary>
public sealed record UpdateMeasure : BlockMeasure
{
    /// <inheritdoc/>
    public override string Legend => "Δ = ‖update‖ / ‖stream‖";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("mixerShare", "mixer Δ", "0.00"), new("feedForwardShare", "ff Δ", "0.00")];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new("hook_resid_pre"), new("hook_attn_out"), new("hook_resid_mid"), new("hook_mlp_out")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 10.0 * shape.Points * width;

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        Write(block.Cloud("hook_resid_pre"), block.Cloud("hook_attn_out"), "mixer", figures);
        Write(block.Cloud("hook_resid_mid") ?? block.Cloud("hook_resid_pre"), block.Cloud("hook_mlp_out"), "feedForward", figures);
    }

    private static void Write(PointCloud? x, PointCloud? delta, string name, FigureWriter figures)
    {
        if (x is not null && delta is not null)
        {
            PositionSplit<UpdateSummary> split = RowStatistics.Updates(x.Values, delta.Values, x.Count, x.Width, x.Rows.First);
            UpdateSummary all = split.All, later = split.WithoutFirst;
            long points = all.Rows - all.ZeroRows;
            figures.Add(name + "Share", all.Share, all.Status, "mean over tokens", points);
            figures.Add(name + "ShareWithoutFirst", later.Share, later.Status, "mean over tokens, position 0 out", later.Rows - later.ZeroRows);
            figures.Add(name + "Cosine", all.Cosine, all.Status, "mean over tokens", points);
            figures.Add(name + "NormGrowth", all.NormGrowth, all.Status, "mean over tokens", points);
        }
    }
}
