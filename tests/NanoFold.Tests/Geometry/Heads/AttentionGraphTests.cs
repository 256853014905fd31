using System.Text.Json;
using NanoFold.Engine.Geometry.Heads;

namespace NanoFold.Tests.Geometry.Heads;

/// <summary>Figures of attention patterns: of known ones, and of a trained model's beside numpy's.</summary>
public class AttentionGraphTests
{
    [Test]
    public void KeysThatHoldNineTenthsOfTheMass()
    {
        var scratch = new float[16];
        Assert.That(AttentionGraph.KeysFor([1, 0, 0], 0.9, scratch), Is.EqualTo(1));
        Assert.That(AttentionGraph.KeysFor([.. Enumerable.Repeat(0.1f, 10)], 0.9, scratch), Is.EqualTo(9));
        Assert.That(AttentionGraph.KeysFor([0.05f, 0.5f, 0.05f, 0.4f], 0.9, scratch), Is.EqualTo(2));
        Assert.That(AttentionGraph.KeysFor([0.06f, 0.5f, 0.05f, 0.39f], 0.9, scratch), Is.EqualTo(3));
        Assert.That(AttentionGraph.KeysFor([2, 2, 2, 2], 0.5, scratch), Is.EqualTo(2), "of what there is, whatever its sum");
        Assert.That(AttentionGraph.KeysFor([0, 0], 0.9, scratch), Is.Zero);
    }

    [Test]
    public void RankOfKnownPatterns()
    {
        const int n = 12;
        float[] identity = Pattern(n, (i, j) => i == j ? 1 : 0), first = Pattern(n, (i, j) => j == 0 ? 1 : 0), blocks = Pattern(n, (i, j) => i / 3 == j / 3 ? 1f / 3 : 0);
        Assert.That(AttentionGraph.EffectiveRank(identity, n), Is.EqualTo(n).Within(1e-9));
        Assert.That(AttentionGraph.EffectiveRank(first, n), Is.EqualTo(1).Within(1e-6));
        Assert.That(AttentionGraph.EffectiveRank(blocks, n), Is.EqualTo(4).Within(1e-5));
        Assert.That(AttentionGraph.EffectiveRank(new float[9], 3), Is.Null);

        // Two rows: σ of [[1, 0], [½, ½]] are √(3/4 ± √5/4).
        double a = Math.Sqrt((3 + Math.Sqrt(5)) / 4), b = Math.Sqrt((3 - Math.Sqrt(5)) / 4), p = a / (a + b);
        Assert.That(AttentionGraph.EffectiveRank([1, 0, 0.5f, 0.5f], 2), Is.EqualTo(Math.Exp(-(p * Math.Log(p)) - ((1 - p) * Math.Log(1 - p)))).Within(1e-9));
        Assert.That(AttentionGraph.EffectiveRank([1, 0, 0, 0, 1, 0], 2), Is.EqualTo(2).Within(1e-9), "of fewer rows than keys");
        Assert.That(AttentionGraph.EffectiveRank([1, 0, 0, 1, 0, 0], 3), Is.EqualTo(2).Within(1e-9), "of more");
    }

    [Test]
    public void UniformAttentionHasNoOtherSink()
    {
        const int n = 40;
        float[] uniform = Pattern(n, (i, j) => j <= i ? 1f / (i + 1) : 0), sink = Pattern(n, (i, j) => j == Math.Min(i, 7) ? 1 : 0);
        Assert.That(AttentionGraph.LargestMassOfAnotherKey(uniform, n), Is.EqualTo(Enumerable.Range(20, 20).Average(t => 1.0 / (t + 1))).Within(1e-6));
        Assert.That(AttentionGraph.LargestMassOfAnotherKey(sink, n), Is.EqualTo(1).Within(1e-7));
        Assert.That(AttentionGraph.LargestMassOfAnotherKey([1, 0, 1, 0], 2), Is.Null);
        Assert.That(AttentionGraph.EntropyShare(uniform.AsSpan(n * 9, 10)), Is.EqualTo(1).Within(1e-6));
        Assert.That(AttentionGraph.EntropyShare([0.5f, 0, 0.5f, 0]), Is.EqualTo(0.5).Within(1e-7));
        Assert.That(AttentionGraph.EntropyShare([1]), Is.Null);
    }

    [Test]
    public void MassOfUniformAttentionByLag()
    {
        const int n = 20;
        var lags = new LagProfile(n);
        for (int t = 0; t < n; t++)
        {
            lags.Add([.. Enumerable.Repeat(1f / (t + 1), t + 1)]);
        }

        Assert.That(Enumerable.Range(0, lags.Bins).Select(b => (LagProfile.FirstLag(b), LagProfile.LastLag(b))), Is.EqualTo(new[] { (0, 0), (1, 1), (2, 2), (3, 4), (5, 8), (9, 16) }));
        for (int bin = 0; bin < lags.Bins; bin++)
        {
            Assert.That(lags.Sum(bin), Is.EqualTo(lags.EvenShare(bin)).Within(1e-7));
            Assert.That(lags.Rows(bin), Is.EqualTo(n - 1 - LagProfile.LastLag(bin)), "rows that see the bin without the first key");
        }

        var previous = new LagProfile(n);
        previous.Add([.. Enumerable.Range(0, n).Select(j => j == n - 4 ? 1f : j == 0 ? 5 : 0)], scale: 2);
        Assert.That(Enumerable.Range(0, previous.Bins).Select(b => previous.Sum(b)), Is.EqualTo(new double?[] { 0, 0, 0, 2, 0, 0 }));
        Assert.That(previous.Mean(3), Is.EqualTo(1));
    }

    [Test]
    public void AHeadThatAttendsToTheNearestKeys()
    {
        // Places on a line that comes back: the nearest keys of the last place are known.
        const int n = 12;
        float[] hidden = [.. Enumerable.Range(0, n).Select(t => (float)Math.Abs(t - 6.2) + (t > 6 ? 0.1f : 0))], near = new float[n], far = new float[n];
        for (int t = 0; t < n; t++)
        {
            near[t] = 1 / (1 + Math.Abs(hidden[t] - hidden[n - 1]));
            far[t] = Math.Abs(hidden[t] - hidden[n - 1]);
        }

        AttendedNeighbors Of(float[] weights)
        {
            var one = new AttendedNeighbors(3, n);
            one.Add(weights, hidden, 1);
            one.Add(weights.AsSpan(0, 5), hidden.AsSpan(0, 5), 1);
            return one;
        }

        Assert.That((Of(near).Rows, Of(near).Overlap), Is.EqualTo((1, 1.0)), "a row with fewer than 2k keys is left out");
        Assert.That(Of(near).Correlation, Is.EqualTo(1).Within(1e-12));
        Assert.That(Of(near).Chance, Is.EqualTo(3.0 / 10).Within(1e-12));
        Assert.That(Of(far).Overlap, Is.Zero);
        Assert.That(Of(far).Correlation, Is.EqualTo(-1).Within(1e-12));
        Assert.That(Of(new float[n]).Correlation, Is.Null, "equal weights have no order");
    }

    [Test]
    public void ChoicesByChanceOverlapByChance()
    {
        const int n = 60;
        var measured = new AttendedNeighbors(5, n);
        for (int i = 0; i < 200; i++)
        {
            measured.Add(Clouds.Cube(n, 1, (ulong)(2 * i) + 1), Clouds.Gauss(n, 4, (ulong)(2 * i) + 2), 4);
        }

        Assert.That(measured.Overlap, Is.EqualTo(5.0 / 58).Within(0.015));
        Assert.That(measured.Chance, Is.EqualTo(5.0 / 58).Within(1e-12));
        Assert.That(measured.Correlation, Is.Zero.Within(0.03));
    }

    [Test]
    public void OfATrainedModelKeysAreThoseOfNumpy()
    {
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(SharedData.Path("peers/geometry/expected.json")));
        float[] pattern = TrainedHeads.Read("model.norm.weight", "blocks.1.attn.hook_pattern").Points["blocks.1.attn.hook_pattern"];
        var scratch = new float[TrainedHeads.Time];
        double[] keys = new double[4];
        for (int row = 0; row < pattern.Length / TrainedHeads.Time; row++)
        {
            int query = row % TrainedHeads.Time;
            keys[row / TrainedHeads.Time % 4] += AttentionGraph.KeysFor(pattern.AsSpan(row * TrainedHeads.Time, query + 1), 0.9, scratch);
        }

        double[] known = [.. expected.RootElement.GetProperty("attention").GetProperty("1").GetProperty("keysFor90ByHead").EnumerateArray().Select(v => v.GetDouble())];
        Assert.That(keys.Select(k => k / (TrainedHeads.Batch * TrainedHeads.Time)), Is.EqualTo(known).Within(0.01));
    }

    private static float[] Pattern(int n, Func<int, int, float> weight) => [.. Enumerable.Range(0, n * n).Select(i => weight(i / n, i % n))];
}
