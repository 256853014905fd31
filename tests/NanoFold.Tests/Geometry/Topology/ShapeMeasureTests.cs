using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Topology;

/// <summary>What measures of the shape of a cloud write of known clouds.</summary>
[Parallelizable]
public class ShapeMeasureTests
{
    private const int Time = 16, Batch = 40;

    [Test]
    public void ACircleIsOneComponentAndOneLoop()
    {
        PointCloud circle = Cloud(2, (row, random) => [Math.Cos(row), Math.Sin(row)]);
        var figures = new FigureWriter(wantsArrays: true);
        new HomologyMeasure { Landmarks = 40 }.Take(circle, figures);
        Assert.That(Values(figures), Is.SupersetOf(new[] { ("betti0", 1.0), ("betti1", 1.0) }));
        FigureArray loops = figures.Arrays.Single(a => a.Name == "loops");
        Assert.That(loops.Shape[1], Is.EqualTo(2));
        Assert.That(((double[])loops.Values)[1], Is.EqualTo(Math.Sqrt(3)).Within(3).Percent);

        figures = new FigureWriter();
        new GeodesicMeasure { K = 4, Sources = 30 }.Take(circle, figures);
        Assert.That(figures.Figures[0].Value, Is.EqualTo(1.166).Within(0.01));
        Assert.That(Values(figures), Is.SupersetOf(new[] { ("components", 1.0), ("reachableShare", 1.0) }));
    }

    [Test]
    public void TwoClustersHangTogetherAtHalf()
    {
        PointCloud two = Cloud(3, (row, random) => [random.NextNormal() + (row % 2 * 40), random.NextNormal(), random.NextNormal()]);
        var figures = new FigureWriter();
        new CoverageMeasure { MostNeighbors = 16 }.Take(two, figures);
        Dictionary<string, double> values = Values(figures).ToDictionary(f => f.Item1, f => f.Item2);
        Assert.That(values["mutualShare.16"], Is.EqualTo(0.5).Within(0.03));
        Assert.That(values["pairShare.16"], Is.EqualTo(0.5).Within(0.03));
        Assert.That(values["mutualShare.1"], Is.LessThan(0.05));
        new HomologyMeasure().Take(two, figures = new FigureWriter());
        Assert.That(Values(figures).First(), Is.EqualTo(("betti0", 2.0)));
    }

    [Test]
    public void ThePeakOfTheDimensionIsWhereItIs()
    {
        // Dimensions 6, then 2, 8, 4 after the blocks, in 8.
        SampledRows rows = Rows();
        PointCloud Of(int d) => Cloud(8, (_, random) => [.. Enumerable.Range(0, 8).Select(c => c < d ? random.NextNormal() : 0)], rows);
        PointCloud[] streams = [Of(6), Of(2), Of(8), Of(4)];
        var figures = new FigureWriter();
        new DimensionProfileMeasure().Take(streams, figures);
        Dictionary<string, double> values = Values(figures).ToDictionary(f => f.Item1, f => f.Item2);
        Assert.That(values["peakDepth"], Is.EqualTo(2 / 3.0).Within(1e-12));
        Assert.That(values["peakOverEnds"], Is.EqualTo(2 * values["dimension.2"] / (values["dimension.1"] + values["dimension.3"])).Within(1e-12));
        Assert.That(values["dimension.1"], Is.EqualTo(2).Within(15).Percent);
        Assert.That(values["participationRatio.3"], Is.EqualTo(4).Within(5).Percent);
    }

    [TestCase(TokenOrder.Position)]
    [TestCase(TokenOrder.Context)]
    public void LateTokensMayBeOfMoreDimensions(TokenOrder by)
    {
        // Documents of 8 tokens, the first half of one on a line, the second half all over.
        SampledRows rows = Rows();
        int[] places = by == TokenOrder.Position ? rows.Positions : rows.Contexts;
        int late = by == TokenOrder.Position ? 8 : 4;
        PointCloud cloud = Cloud(5, (row, random) => [.. Enumerable.Range(0, 5).Select(c => c == 0 || places[row] >= late ? random.NextNormal() : 0)], rows);
        var figures = new FigureWriter();
        new DimensionBinMeasure { By = by, Bins = 2 }.Take(cloud, figures);
        Dictionary<string, double> values = Values(figures).ToDictionary(f => f.Item1, f => f.Item2);
        Assert.That(values["dimension.1"], Is.InRange(0.8, 2.5));
        Assert.That(values["dimension.2"], Is.InRange(3.5, 6));
        Assert.That(values["participationRatio.2"], Is.GreaterThan(3 * values["participationRatio.1"] / 2));
        Assert.That(values["median.1"], Is.LessThan(late));
        Assert.That(values["median.2"], Is.GreaterThanOrEqualTo(late));
    }

    [Test]
    public void NeighborsOfTheSameClassAreCounted()
    {
        // Two clusters by the parity of the token; the class of every third is not known.
        SampledRows rows = Rows();
        PointCloud cloud = Cloud(3, (row, random) => [random.NextNormal() + (rows.Tokens[row] % 2 * 50), random.NextNormal(), random.NextNormal()], rows);
        int[] parity = [.. Enumerable.Range(0, Batch * Time).Select(place => place % 3 == 0 ? -1 : Token(place) % 2)];
        rows.Read(Tokens(), Documents(), [new LabelColumn("parity", ["even", "odd"], parity)]);
        var figures = new FigureWriter();
        new LabelOverlapMeasure { K = 5 }.Take(cloud, figures);
        Dictionary<string, double> values = Values(figures).ToDictionary(f => f.Item1, f => f.Item2);
        double known = parity.Where((_, place) => place % Time > 0).Count(p => p >= 0) / (double)(Batch * (Time - 1));
        Assert.That(values["overlap.parity"], Is.EqualTo(known).Within(0.05), "neighbors are of the class, where that is known");
        Assert.That(values["byChance.parity"], Is.EqualTo(known / 2).Within(0.05));
    }

    [Test]
    public void ASimilarityIsOneOfTheSame()
    {
        SampledRows rows = Rows();
        PointCloud x = Cloud(6, (_, random) => [.. Enumerable.Range(0, 6).Select(_ => random.NextNormal())], rows);
        var turned = new PointCloud("turned", rows, Clouds.Move(x.Values.ToArray(), 6, 3, 2, 1));
        PointCloud other = Cloud(5, (_, random) => [.. Enumerable.Range(0, 5).Select(_ => random.NextNormal())], rows);
        var figures = new FigureWriter();
        new RsaMeasure { PairTokens = 200 }.Take(x, turned, figures);
        Assert.That(figures.Figures.Single().Value, Is.EqualTo(1).Within(1e-6));
        Assert.That(figures.Figures.Single().Points, Is.EqualTo(200));
        new RsaMeasure().Take(x, other, figures = new FigureWriter());
        Assert.That(figures.Figures.Single().Value, Is.Zero.Within(0.1));
        new CkaMeasure { Batch = 50 }.Take(x, turned, figures = new FigureWriter());
        Assert.That(figures.Figures[0].Value, Is.EqualTo(1).Within(1e-5));
        new CkaMeasure { Batch = 50 }.Take(x, other, figures = new FigureWriter());
        Assert.That(figures.Figures[0].Value, Is.Zero.Within(0.05));
        Assert.That(figures.Figures[1].Value, Is.GreaterThan(0.08), "the biased form is wrong for small batches");

        CheckpointSample Checkpoint(string name, params PointCloud[] streams) => new(new Lazy<NetworkSample>()) { Name = name, Step = 1, Streams = streams };
        figures = new FigureWriter(wantsArrays: true);
        new CheckpointSimilarityMeasure().Take(Checkpoint("step-1", x, other), Checkpoint("step-2", turned, x), figures);
        Figure[] first = [.. figures.At(new FigurePlace("checkpoints", "turned", 0, Other: "step-1")).Figures];
        Assert.That(first.Select(f => f.Name), Is.EqualTo(new[] { "cka", "overlap", "overlapByChance", "rsa" }));
        Assert.That(first.Select(f => f.Value!.Value), Is.EqualTo(new[] { 1, 1, 10.0 / (x.NeighborCount - 1), 1 }).Within(1e-5));
        Assert.That((float[])figures.Arrays.Single().Values, Is.EqualTo(new[] { 1, 1, 0, 0f }).Within(0.05));
    }

    [Test]
    public void WaysThroughLayersAreLaidInOneBasis()
    {
        // Layer l moves every token by 10 l along axis 2; axis 0 has the tokens' own spread of 1.
        SampledRows rows = Rows();
        PointCloud[] streams = [.. Enumerable.Range(0, 3).Select(l => Cloud(4, (_, random) => [random.NextNormal(), 0, 10 * l, 0], rows))];
        var figures = new FigureWriter(wantsArrays: true);
        new TrajectoryMeasure { Axes = 2, Tokens = 50 }.Take(streams, figures);
        double along = 200 / 3.0;
        Assert.That(figures.Figures[0].Value, Is.EqualTo(along / (along + 1)).Within(0.01));
        Assert.That(figures.Figures[0].Value + figures.Figures[1].Value, Is.EqualTo(1).Within(1e-6));
        FigureArray coordinates = figures.Arrays.Single(a => a.Name == "coordinates");
        Assert.That(coordinates.Shape, Is.EqualTo(new[] { 3, 50, 2 }));
        var values = (float[])coordinates.Values;
        Assert.That(new[] { values[0], values[100], values[200] }, Is.EqualTo(new[] { -10, 0, 10 }).Within(1e-3));
        Assert.That((int[])figures.Arrays.Single(a => a.Name == "tokens").Values, Is.EqualTo(rows.Tokens[rows.First..(rows.First + 50)]));
    }

    [Test]
    public void UpdatesAlongTheCloudAreTangentAndOthersNormal()
    {
        // A cloud of 3 of 8 dimensions; the mixer moves along one of them, the feed-forward along another and one outside, as far.
        SampledRows rows = Rows();
        PointCloud Of(Func<int, GaussianSource, double> value) => Cloud(8, (_, random) => [.. Enumerable.Range(0, 8).Select(c => value(c, random))], rows);
        var block = new BlockSample();
        PointCloud x = Of((c, random) => c < 3 ? random.NextNormal() : 0);
        block.Add(new Want("hook_resid_pre"), x);
        block.Add(new Want("hook_resid_mid"), x);
        block.Add(new Want("hook_attn_out"), Of((c, _) => c == 1 ? 2 : 0));
        block.Add(new Want("hook_mlp_out"), Of((c, _) => c is 2 or 6 ? 2 : 0));
        var figures = new FigureWriter();
        new TangentMeasure { Span = 3 }.Take(block, figures);
        Dictionary<string, double> values = Values(figures).ToDictionary(f => f.Item1, f => f.Item2);
        Assert.That(values["mixerNormalShare"], Is.Zero.Within(1e-6));
        Assert.That(values["feedForwardNormalShare"], Is.EqualTo(0.5).Within(1e-6));
        Assert.That(values["mixerNormalShareByChance"], Is.EqualTo(1 - (3 / 8.0)).Within(0.15));
    }

    [TestCase(1, GeometryStatus.ZeroVariance)]
    [TestCase(float.NaN, GeometryStatus.NotFinite)]
    public void MeasuresSayWhyTheyHaveNoFigure(float value, GeometryStatus status)
    {
        SampledRows rows = Rows();
        rows.Read(Tokens(), Documents(), LabelColumn.Always(Tokens(), [], Time));
        rows = rows.Later(rows.Count, Time);
        PointCloud cloud = Cloud(8, (row, _) => [.. Enumerable.Range(0, 8).Select(c => row == 30 && c == 3 ? value : 1.0)], rows);
        foreach (Measure measure in MeasurePresets.All)
        {
            var figures = new FigureWriter(wantsArrays: true);
            switch (measure)
            {
                case PointMeasure point:
                    point.Take(cloud, figures);
                    break;
                case PairMeasure pair:
                    pair.Take(cloud, cloud, figures);
                    break;
                case ModelMeasure model:
                    model.Take([cloud, cloud, cloud], figures);
                    break;
                default:
                    continue;
            }

            Assert.That(figures.Figures, Is.All.Matches<Figure>(f => f.Status.HasValue() == f.Value is not null && double.IsFinite(f.Value ?? 0)), measure.Kind);
            if (measure is DimensionProfileMeasure or CorrelationMeasure or GeodesicMeasure or RsaMeasure or TrajectoryMeasure or OutlierDimensionMeasure)
            {
                Assert.That(figures.Figures[0].Status, Is.EqualTo(status), measure.Kind);
            }
        }
    }

    private static int Token(int place) => place * 7 % 11;

    private static int[] Tokens() => [.. Enumerable.Range(0, Batch * Time).Select(Token)];

    private static int[] Documents() => [.. Enumerable.Range(0, Batch * Time).Select(place => place / 8)];

    private static SampledRows Rows()
    {
        ProbeShape shape = ProbeShape.Of(Batch * Time, Batch * Time, Time);
        SampledRows rows = SampledRows.Points(shape, 1);
        rows.Read(Tokens(), Documents());
        return rows;
    }

    private static PointCloud Cloud(int d, Func<int, GaussianSource, double[]> row, SampledRows? rows = null)
    {
        rows ??= Rows();
        var random = new GaussianSource((ulong)d);
        return new PointCloud("cloud", rows, [.. Enumerable.Range(0, rows.Count).SelectMany(i => row(i, random)).Select(v => (float)v)]);
    }

    private static IEnumerable<(string, double)> Values(FigureWriter figures) => figures.Figures.Select(f => (f.Name, f.Value ?? double.NaN));
}
