using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How much the expert that a token is sent to first says of the token's class: mutual information ÷ entropy of the class, less its bias, for each column of labels
/// (the token, the next one, its position, and whatever a task or a file adds); beside it the same with experts dealt out anew.
/// </summary>
public sealed record ExpertPurityMeasure : BlockMeasure
{
    private const string Point = "mlp.hook_expert_choice";

    private const ulong Seed = 1;

    /// <inheritdoc/>
    public override int Tier => 1;

    /// <inheritdoc/>
    public override string Legend => "purity = information of a token's first expert on the token, ÷ its entropy";

    /// <inheritdoc/>
    public override string Subject => "experts";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("purity.token", "purity", "0.00"), new("purity.next", "of next", "0.00")];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new(Point)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 500.0 * shape.Points;

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        if (block.Cloud(Point) is not { } choices)
        {
            return;
        }

        var first = new int[choices.Count];
        for (int i = 0; i < first.Length; i++)
        {
            first[i] = (int)choices.Values[i * choices.Width];
        }

        foreach (LabelColumn labels in choices.Rows.Labels)
        {
            Purity purity = Purity.Measure(labels.Values, first), dealt = Purity.Shuffled(labels.Values, first, Seed);
            string estimator = $"I(class; first expert) ÷ H(class), {purity.Classes} classes, {purity.Choices} experts";
            figures.Add("purity." + labels.Name, purity.Corrected, purity.Status, estimator + ", less (C − 1)(E − 1)/2N", purity.Points);
            figures.Add("purityUncorrected." + labels.Name, purity.Uncorrected, purity.Status, estimator, purity.Points);
            figures.Add("purityShuffled." + labels.Name, dealt.Corrected, dealt.Status, estimator + ", less (C − 1)(E − 1)/2N, experts dealt out anew", dealt.Points);
        }
    }
}
