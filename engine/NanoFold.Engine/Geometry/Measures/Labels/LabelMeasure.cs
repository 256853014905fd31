using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Looks at the stream before and after each sub-block together with the classes of its tokens, position 0 left out: what goes into the first block, what is between mixer and feed-forward, what comes out.</summary>
public abstract record LabelMeasure : Measure
{
    private const string Before = "hook_resid_pre", Between = "hook_resid_mid";

    /// <summary>The label that says which class a token has: token, next, position, or one that a task or a file of labels gives. Empty for those that a task or a file gives and the next token.</summary>
    public string Label { get; init; } = "";

    /// <summary>So many classes of a label at most, the most frequent.</summary>
    [Bounds(2, 256)]
    public int MostClasses { get; init; } = 20;

    /// <summary>Tokens that a class has at least.</summary>
    [Bounds(2, 1 << 20)]
    public int LeastTokens { get; init; } = 4;

    /// <inheritdoc/>
    public sealed override IReadOnlyList<Want> Wants => [new(Before), new(Between), new(PointMeasure.Stream)];

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Subject => Label.Length > 0 ? $"label {Label}" : "labels";

    /// <summary>What stands in an estimator's description.</summary>
    private protected string Chosen => $"at most {MostClasses} classes of at least {LeastTokens} tokens, position 0 out";

    /// <summary>Measures a cloud for one label; names of figures end with it.</summary>
    /// <param name="cloud">Values, of which those at position 0 are left out.</param>
    /// <param name="label">The label's name.</param>
    /// <param name="sample">Rows of <see cref="PointCloud.Later"/> with their classes.</param>
    /// <param name="figures">Where the figures go.</param>
    private protected abstract void Take(PointCloud cloud, string label, ClassSample sample, FigureWriter figures);

    internal sealed override IEnumerable<PlacedMeasure> AfterBlock(BlockSample block)
    {
        string[] points = block.Layer == 0 ? [Before, Between, PointMeasure.Stream] : [Between, PointMeasure.Stream];
        foreach (PointCloud cloud in points.Select(block.Cloud).OfType<PointCloud>())
        {
            yield return new(new FigurePlace("point", cloud.Point, block.Layer), figures => TakeAll(cloud, figures));
        }
    }

    private void TakeAll(PointCloud cloud, FigureWriter figures)
    {
        IEnumerable<LabelColumn> columns = cloud.Rows.Labels.Where(column => Label.Length > 0 ? column.Name == Label : column.Name is not (LabelColumn.Token or LabelColumn.Position));
        foreach (LabelColumn column in columns)
        {
            Take(cloud, column.Name, ClassSample.Of(column.Values.AsSpan(cloud.Rows.First), LeastTokens, MostClasses), figures);
        }
    }
}

/// <summary>
/// How far the classes of tokens lie apart, layer by layer and on both sides of each sub-block: NC1, CDNV, angles between class means, and how often the nearest class mean is the right one.
/// </summary>
public sealed record SeparabilityMeasure : LabelMeasure
{
    /// <inheritdoc/>
    public override string Legend => "NC1 = variance within classes over that between them; mean = share of held-out tokens whose nearest class mean is that of their class";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("nc1.next", "NC1 next", "0.00"), new("nearestMean.next", "mean next", "0.00")];

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Tier => 2;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 12.0 * shape.Points * width * MostClasses;

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => sizeof(double) * (double)width * (shape.Points + (4 * MostClasses));

    private protected override void Take(PointCloud cloud, string label, ClassSample sample, FigureWriter figures)
    {
        ClassSeparation found = ClassSeparation.Measure(cloud.Later, cloud.Width, sample);
        string estimator = $"{found.Classes} classes, {Chosen}";
        figures.Add($"nc1.{label}", found.Nc1, found.Status, $"tr(Σ_W Σ_B⁺)/C, {estimator}", found.Points);
        figures.Add($"cdnv.{label}", found.Cdnv, found.Status, $"mean over pairs, {estimator}", found.Points);
        figures.Add($"meanCosine.{label}", found.MeanCosine, found.Status, $"mean over pairs of centered class means, {estimator}", found.Points, found.CosineDeviation);
        figures.Add($"nearestMean.{label}", found.NearestMeanHeldOut, found.Status, $"every second token, means of the others, {estimator}", found.Points);
        figures.Add($"nearestMeanSameTokens.{label}", found.NearestMean, found.Status, $"on the tokens of the means, {estimator}", found.Points);
        figures.Add($"mostFrequent.{label}", sample.Majority, found.Status, $"share of the largest class, {estimator}", found.Points);
    }
}

/// <summary>
/// Whether classes of tokens can be read by a linear map: accuracy on held-out windows of ridge and of logistic regression, each beside the same with shuffled classes.
/// </summary>
public sealed record ProbeMeasure : LabelMeasure
{
    private const ulong Seed = 1;

    /// <summary>λ of both, as a share of the mean variance of a coordinate.</summary>
    [Bounds(0, 1e6, AboveMinimum = true)]
    public double Penalty { get; init; } = 0.01;

    /// <summary>So many tokens at most, half of them to train on.</summary>
    [Bounds(16, 1 << 20)]
    public int Tokens { get; init; } = 1500;

    /// <inheritdoc/>
    public override string Legend => "ridge, logistic = accuracy of linear probes on held-out windows; shuffled = the same with shuffled classes";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("ridge.next", "ridge next", "0.00"), new("ridgeShuffled.next", "shuffled", "0.00"), new("logistic.next", "logistic next", "0.00")];

    /// <inheritdoc/>
    [JsonIgnore]
    public override int Tier => Offline;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (2.0 * Math.Min(shape.Points, Tokens) * width * width) + (200.0 * Math.Min(shape.Points, Tokens) * width * MostClasses);

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => sizeof(double) * (double)width * (shape.Points + (3.0 * width));

    private protected override void Take(PointCloud cloud, string label, ClassSample sample, FigureWriter figures)
    {
        // A window is known by the place of its first token.
        int first = cloud.Rows.First;
        int[] windows = [.. Enumerable.Range(first, cloud.Count - first).Select(i => cloud.Rows.Rows[i] - cloud.Rows.Positions[i])];
        sample = sample.First(Tokens);
        LinearProbes found = LinearProbes.Measure(cloud.Later, cloud.Width, sample, windows, Seed, Penalty);
        string estimator = FormattableString.Invariant($"λ={Penalty}, {found.Trained} trained on, {found.Classes} classes, {Chosen}");
        foreach ((string name, double? value) in new[]
        {
            ("ridge", found.Ridge), ("ridgeShuffled", found.RidgeShuffled), ("logistic", found.Logistic), ("logisticShuffled", found.LogisticShuffled), ("mostFrequent", found.Majority),
        })
        {
            figures.Add($"{name}.{label}", value, found.Status, estimator, found.Tested);
        }
    }
}
