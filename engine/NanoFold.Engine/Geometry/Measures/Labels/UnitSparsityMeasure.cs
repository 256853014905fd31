using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>How few hidden units of a feed-forward carry a token, and how few tokens a unit answers to. Of experts what holds for a token: which units they are changes from token to token.</summary>
public sealed record UnitSparsityMeasure : BlockMeasure
{
    private const string Units = "mlp.hook_post", Experts = "mlp.hook_expert_weights";

    /// <summary>From which share of the root mean square on a unit is active.</summary>
    [Bounds(0, 1000)]
    public double Threshold { get; init; } = 0.1;

    /// <inheritdoc/>
    public override string Legend => "active = units above a tenth of the root mean square; 90 % = units that hold 90 % of a token's squares; silent = units that no token excites";

    /// <inheritdoc/>
    public override string Subject => "hidden units in its feed-forwards";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("active", "active %", "0.0", 100), new("unitsFor90", "90 % in %", "0.0", 100), new("silent", "silent %", "0.0", 100)];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new(Units), new(Experts)];

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Tier => 1;

    /// <inheritdoc/>
    /// <remarks>Of a feed-forward that is four times as wide as the stream.</remarks>
    public override double Work(in ProbeShape shape, int width) => 100.0 * shape.Points * width;

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        if (block.Cloud(Units) is not { } cloud)
        {
            return;
        }

        UnitSparsity found = UnitSparsity.Measure(cloud.Later, cloud.Width, Threshold);
        string estimator = FormattableString.Invariant($"mean over tokens, position 0 out, active above {Threshold} rms");
        figures.Add("active", found.Active, found.Status, estimator, found.Rows);
        figures.Add("hoyer", found.Hoyer, found.Status, "(√F − ‖h‖₁/‖h‖₂)/(√F − 1), mean over tokens, position 0 out", found.Rows);
        figures.Add("unitsFor90", found.UnitsFor90, found.Status, "mean over tokens, position 0 out", found.Rows);
        if (block.Cloud(Experts) is null)
        {
            figures.Add("silent", found.Silent, found.Status, estimator, found.Rows);
            figures.Add("breadth", found.Breadth, found.Status, "(mean |h|)²/mean h² over tokens, mean over units, position 0 out", found.Rows);
        }
    }
}
