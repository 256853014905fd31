using System.Globalization;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>How evenly tokens spread over experts: the entropy of the load ÷ ln E, the largest load × E, idle experts, and each expert's share.</summary>
public sealed record ExpertMeasure : BlockMeasure
{
    private const string Point = "mlp.hook_expert_load", Estimator = "all tokens and slots";

    /// <inheritdoc/>
    public override string Legend => "load H = entropy of experts' shares ÷ ln E";

    /// <inheritdoc/>
    public override string Subject => "experts";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("expertLoadEntropyShare", "load H", "0.00")];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new(Point, SampleKind.Whole)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 0;

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        if (block.Whole(Point) is not { } shares)
        {
            return;
        }

        ExpertStatistics experts = ExpertStatistics.Measure(Array.ConvertAll(shares, share => (double)share));
        void Add(string name, double? value) => figures.Add(name, value, experts.Status, Estimator, shares.Length);
        Add("expertLoadEntropyShare", experts.EntropyShare);
        Add("expertLargestOverMean", experts.LargestOverMean);
        Add("expertsIdle", experts.Idle);
        for (int e = 0; e < shares.Length; e++)
        {
            Add("expertLoad." + e.ToString(CultureInfo.InvariantCulture), experts.Load[e]);
        }
    }
}
