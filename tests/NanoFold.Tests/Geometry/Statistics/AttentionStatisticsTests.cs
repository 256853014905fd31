using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Tests.Geometry.Statistics;

public class AttentionStatisticsTests
{
    [TestCase(2)]
    [TestCase(40)]
    [TestCase(300)]
    public void UniformCausalAttention(int time)
    {
        AttentionStatistics statistics = new(2);
        Add(statistics, Uniform(2, time), time);
        double[] keys = Enumerable.Range(1, time).Select(t => (double)t).ToArray();
        PositionSplit<AttentionSummary> head = statistics.Head(1);
        Assert.Multiple(() =>
        {
            Assert.That(head.All.Rows, Is.EqualTo(time));
            Assert.That(head.All.Entropy, Is.EqualTo(keys.Average(Math.Log)).Within(1e-5));
            Assert.That(head.All.FirstMass, Is.EqualTo(keys.Average(t => 1 / t)).Within(1e-6));
            Assert.That(head.All.EntropyShare, Is.EqualTo(1).Within(1e-5));
            Assert.That(head.WithoutFirst.Rows, Is.EqualTo(time - 1));
            Assert.That(head.WithoutFirst.Entropy, Is.EqualTo(keys.Skip(1).Average(Math.Log)).Within(1e-5));
            Assert.That(head.WithoutFirst.FirstMass, Is.EqualTo(keys.Skip(1).Average(t => 1 / t)).Within(1e-6));
            Assert.That(head.WithoutFirst.EntropyShare, Is.EqualTo(1).Within(1e-5));
            Assert.That(statistics.Overall().All.Rows, Is.EqualTo(2 * time));
            Assert.That(statistics.Overall().All.Entropy, Is.EqualTo(head.All.Entropy).Within(1e-9));
        });
    }

    [Test]
    public void ASinkHasNoEntropyAndAllTheMass()
    {
        const int Time = 6;
        float[] pattern = Uniform(2, Time);
        for (int t = 0; t < Time; t++)
        {
            Span<float> row = pattern.AsSpan(t * Time, Time);
            row.Clear();
            row[0] = 1;
        }

        AttentionStatistics statistics = new(2);
        Add(statistics, pattern, Time);
        AttentionSummary sink = statistics.Head(0).WithoutFirst;
        Assert.That(sink.Entropy, Is.Zero);
        Assert.That(sink.EntropyShare, Is.Zero);
        Assert.That(sink.FirstMass, Is.EqualTo(1));
        Assert.That(statistics.SinkShare(0.5), Is.EqualTo(0.5));
        Assert.That(new AttentionStatistics(2).SinkShare(0.5), Is.Null);
    }

    [Test]
    public void RowsAndPatternsAgree()
    {
        const int Time = 5;
        float[] pattern = Uniform(1, Time);
        SampledRows queries = SampledRows.Queries(ProbeShape.Of(Time, Time, Time, Time + 1), 1);
        AttentionStatistics whole = AttentionMeasure.StatisticsOf(new PatternSample(queries, 1, Time, pattern));
        AttentionStatistics rows = new(1);
        for (int t = 0; t < Time; t++)
        {
            rows.AddRow(0, t, pattern.AsSpan(t * Time, t + 1));
        }

        Assert.That(rows.Head(0), Is.EqualTo(whole.Head(0)));
    }

    [Test]
    public void WithoutACausalMaskEveryKeyCounts()
    {
        AttentionStatistics statistics = new(1, causal: false);
        statistics.AddRow(0, 0, [0.25f, 0.25f, 0.25f, 0.25f]);
        statistics.AddRow(0, 1, [0.5f, 0.5f, 0, 0]);
        AttentionSummary all = statistics.Head(0).All;
        Assert.That(all.EntropyShare, Is.EqualTo((1 + 0.5) / 2).Within(1e-6));
        Assert.That(all.FirstMass, Is.EqualTo(0.375).Within(1e-7));
    }

    [Test]
    public void WeightsThatDoNotSumToOneKeepTheirSinkMass()
    {
        AttentionStatistics statistics = new(1);
        statistics.AddRow(0, 1, [0.2f, 0.2f]);
        AttentionSummary row = statistics.Head(0).All;
        Assert.That(row.Entropy, Is.EqualTo(Math.Log(2)).Within(1e-6));
        Assert.That(row.FirstMass, Is.EqualTo(0.2).Within(1e-7));
    }

    [Test]
    public void StatusSaysWhy()
    {
        AttentionStatistics statistics = new(3);
        Assert.That(statistics.Head(0).All.Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        statistics.AddRow(0, 0, [1]);
        Assert.That(statistics.Head(0).All.Status, Is.EqualTo(GeometryStatus.Ok));
        Assert.That(statistics.Head(0).All.EntropyShare, Is.Null, "one key leaves no choice");
        Assert.That(statistics.Head(0).WithoutFirst.Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        statistics.AddRow(1, 1, [0, 0]);
        statistics.AddRow(1, 1, [1.5f, -0.5f]);
        Assert.That(statistics.Head(1).All.SkippedRows, Is.EqualTo(2));
        Assert.That(statistics.Head(1).All.Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        statistics.AddRow(2, 1, [float.NaN, 1]);
        Assert.That(statistics.Head(2).All.Status, Is.EqualTo(GeometryStatus.NotFinite));
        Assert.That(statistics.Overall().All.Status, Is.EqualTo(GeometryStatus.NotFinite));
    }

    [Test]
    public void WrongShapesAreRefused()
    {
        AttentionStatistics statistics = new(2);
        Assert.That(() => statistics.AddRow(2, 0, [1]), Throws.ArgumentException);
        Assert.That(() => statistics.AddRow(0, 3, [1]), Throws.ArgumentException);
    }

    private static void Add(AttentionStatistics statistics, float[] pattern, int time)
    {
        for (int row = 0; row < pattern.Length / time; row++)
        {
            statistics.AddRow(row / time, row % time, pattern.AsSpan(row * time, time));
        }
    }

    private static float[] Uniform(int heads, int time)
    {
        float[] pattern = new float[heads * time * time];
        for (int row = 0; row < heads * time; row++)
        {
            int keys = (row % time) + 1;
            pattern.AsSpan(row * time, keys).Fill(1f / keys);
        }

        return pattern;
    }
}
