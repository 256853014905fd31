using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Labels;

/// <summary>Areas, contexts, relations and units whose figures are known.</summary>
public sealed class LabelEstimatorTests
{
    [Test]
    public void TheAreaIsTheChanceOfALargerNumber()
    {
        RocAuc some = RocAuc.Of([1, 2, 3], [2, 3, 4]);
        // Of nine pairs six are larger, two alike.
        Assert.That((some.Value, some.Paired), Is.EqualTo((7.0 / 9, 1.0)));
        Assert.That(RocAuc.Of([1, 2], [3, 4, 5]).Value, Is.EqualTo(1));
        Assert.That(RocAuc.Of([1, 2], [3, 4, 5]).Paired, Is.Null);
        Assert.That(RocAuc.Of([5], [5]).Value, Is.EqualTo(0.5));
        Assert.That(RocAuc.Of([], [5]).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(RocAuc.Of([double.NaN], [5]).Status, Is.EqualTo(GeometryStatus.NotFinite));

        // Two normal kinds that are one standard deviation apart: Φ(1/√2).
        double[] first = Normal(1500, 1), second = [.. Normal(1500, 2).Select(x => x + 1)];
        RocAuc normal = RocAuc.Of(first, second);
        Assert.That(normal.Value, Is.EqualTo(0.7602).Within(3 * normal.Error!.Value));
        Assert.That(normal.Error, Is.InRange(0.007, 0.010));
    }

    /// <summary>Means r apart along one of D directions with unit noise: ratio r/√D.</summary>
    [Test]
    public void ContextsAreApartByTheDistanceOverTheSpread()
    {
        const int N = 400, D = 16;
        float[] first = Clouds.Gauss(N, D, 1), second = Clouds.Gauss(N, D, 2);
        ContextSeparation same = ContextSeparation.Measure(first, second, D, 1);
        for (int i = 0; i < N; i++)
        {
            second[i * D] += 8;
        }

        ContextSeparation apart = ContextSeparation.Measure(first, second, D, 1);
        Assert.That(apart.Ratio, Is.EqualTo(8 / Math.Sqrt(D)).Within(3).Percent);
        Assert.That(apart.Spread, Is.EqualTo(Math.Sqrt(D)).Within(3).Percent);
        Assert.That(apart.NearestMean, Is.EqualTo(1));
        Assert.That(apart.RatioByChance, Is.LessThan(0.2));

        // Means of N points differ by √(2D/N) though they are of the same kind.
        Assert.That(same.Ratio, Is.EqualTo(Math.Sqrt(2.0 / N)).Within(30).Percent);
        Assert.That(same.RatioByChance, Is.EqualTo(same.Ratio).Within(30).Percent);
        Assert.That(same.NearestMean, Is.EqualTo(0.5).Within(0.06));
        Assert.That(ContextSeparation.Measure([1, 2], [3], 1, 1).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(ContextSeparation.Measure([1, 1], [3, 3], 1, 1).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
    }

    /// <summary>Second words are first words moved by one vector: all offsets are that vector.</summary>
    [Test]
    public void ARelationThatIsADirectionIsConsistentAndSolvesAnalogies()
    {
        const int Pairs = 30, D = 32;
        float[] first = Clouds.Gauss(Pairs, D, 1), moved = [.. first.Select((x, i) => x + (i % D == 3 ? 2f : 0))];
        (int, int)[] pairs = [.. Enumerable.Range(0, Pairs).Select(i => (i, Pairs + i))];
        RelationOffsets found = RelationOffsets.Measure([.. first, .. moved], D, pairs, 1);
        Assert.That(found.Consistency, Is.EqualTo(1).Within(1e-5));
        Assert.That(found.Analogies, Is.EqualTo(1));

        // Shuffled, an offset is the difference of two words, of squared length 2D, and the move, of squared length 4.
        Assert.That(found.ConsistencyByChance, Is.EqualTo(4.0 / (4 + (2 * D))).Within(0.05));
        RelationOffsets none = RelationOffsets.Measure([.. first, .. Clouds.Gauss(Pairs, D, 2)], D, pairs, 1);
        Assert.That(none.Consistency, Is.EqualTo(0).Within(0.02));
        Assert.That(none.Analogies, Is.LessThan(0.1));
        Assert.That(RelationOffsets.Measure(first, D, [(0, 1)], 1).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(RelationOffsets.Measure(first, D, [(0, 0), (1, 2)], 1).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
    }

    [Test]
    public void UnitsThatAnswerToFewTokensAreSparse()
    {
        // Row i has unit i alone, and two units are silent.
        float[] alone = [.. Enumerable.Range(0, 6).SelectMany(i => Enumerable.Range(0, 8).Select(unit => unit == i ? 2f : 0f))];
        UnitSparsity one = UnitSparsity.Measure(alone, 8, 0.1);
        Assert.That((one.Status, one.Active, one.Hoyer, one.UnitsFor90, one.Silent), Is.EqualTo((GeometryStatus.Ok, 0.125, 1.0, 0.125, 0.25)));
        Assert.That(one.Breadth, Is.EqualTo(1.0 / 6).Within(1e-12));

        UnitSparsity all = UnitSparsity.Measure([1, -1, 1, -1, 1, -1, 1, 1], 4, 0.1);
        Assert.That((all.Active, all.Silent, all.UnitsFor90), Is.EqualTo((1.0, 0.0, 1.0)));
        Assert.That((all.Hoyer, all.Breadth), Is.EqualTo((0.0, 1.0)).Using<(double?, double?)>((a, b) => Math.Abs(a.Item1!.Value - b.Item1!.Value) < 1e-12 && Math.Abs(a.Item2!.Value - b.Item2!.Value) < 1e-12));

        // Of normal numbers |h|/rms has the mean √(2/π), and 90 % of the squares are in the largest 45 %.
        UnitSparsity normal = UnitSparsity.Measure(Clouds.Gauss(400, 256, 4), 256, 1);
        Assert.That(normal.Active, Is.EqualTo(0.3173).Within(0.01));
        Assert.That(normal.Breadth, Is.EqualTo(2 / Math.PI).Within(0.01));
        Assert.That(normal.UnitsFor90, Is.EqualTo(0.445).Within(0.01));
        Assert.That(UnitSparsity.Measure([0, 0], 2, 0.1).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(UnitSparsity.Measure([0, float.NaN], 2, 0.1).Status, Is.EqualTo(GeometryStatus.NotFinite));
        Assert.That(UnitSparsity.Measure([], 2, 0.1).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
    }

    private static double[] Normal(int n, ulong seed)
    {
        var random = new GaussianSource(seed);
        return [.. Enumerable.Range(0, n).Select(_ => random.NextNormal())];
    }
}
