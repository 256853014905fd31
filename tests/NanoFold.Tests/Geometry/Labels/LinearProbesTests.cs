using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Labels;

/// <summary>Probes where it is known what can be read.</summary>
public sealed class LinearProbesTests
{
    [Test]
    public void ClassesThatAreApartAreReadAndShuffledOnesAreNot()
    {
        (float[] values, int[] labels) = ClassSeparationTests.Simplex(0.2, 60);
        LinearProbes found = LinearProbes.Measure(values, 64, ClassSample.Of(labels), [], seed: 1);
        Assert.That((found.Status, found.Trained, found.Tested, found.Classes), Is.EqualTo((GeometryStatus.Ok, 300, 300, 10)));
        Assert.That((found.Ridge, found.Logistic), Is.EqualTo((1.0, 1.0)));
        Assert.That(new[] { found.RidgeShuffled, found.LogisticShuffled, found.Majority }, Is.All.EqualTo(0.1).Within(0.08));
    }

    /// <summary>Two normal classes of means ±m along one of eight directions: no map is right more often than Φ(m).</summary>
    [Test]
    public void ProbesOfTwoNormalClassesComeNearToTheBestThereIs()
    {
        const int N = 4000, D = 8;
        float[] values = Clouds.Gauss(N, D, 3);
        int[] labels = [.. Enumerable.Range(0, N).Select(i => i % 2)];
        for (int i = 0; i < N; i++)
        {
            values[i * D] += labels[i] == 0 ? 1 : -1;
        }

        LinearProbes found = LinearProbes.Measure(values, D, ClassSample.Of(labels), [], seed: 2);
        Assert.That(found.Ridge, Is.EqualTo(0.8413).Within(0.02));
        Assert.That(found.Logistic, Is.EqualTo(0.8413).Within(0.02));
        Assert.That(found.RidgeShuffled, Is.EqualTo(0.5).Within(0.12));
    }

    /// <summary>Which window a row is of tells its class, and nothing else does: single rows held back would be known by their neighbors.</summary>
    [Test]
    public void WholeGroupsAreHeldBack()
    {
        const int Groups = 40, Each = 10;
        int[] groups = [.. Enumerable.Range(0, Groups * Each).Select(i => i / Each)], labels = [.. groups.Select(group => group * 7 % 20 < 10 ? 0 : 1)];
        float[] values = [.. groups.SelectMany(group => Enumerable.Range(0, Groups).Select(k => k == group ? 1f : 0f))];
        LinearProbes byRow = LinearProbes.Measure(values, Groups, ClassSample.Of(labels), [], seed: 1), byGroup = LinearProbes.Measure(values, Groups, ClassSample.Of(labels), groups, seed: 1);
        Assert.That(byRow.Ridge, Is.EqualTo(1));
        Assert.That(byGroup.Ridge, Is.LessThan(0.75));
    }

    [Test]
    public void WhatCannotBeProbedIsSaid()
    {
        Assert.That(LinearProbes.Measure([1, 2], 1, ClassSample.Of([0, 1], least: 1), [], 1).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(LinearProbes.Measure(new float[40], 1, ClassSample.Of([.. Enumerable.Range(0, 40).Select(i => i % 2)]), [], 1).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        float[] values = Clouds.Gauss(40, 1, 1);
        values[7] = float.NaN;
        Assert.That(LinearProbes.Measure(values, 1, ClassSample.Of([.. Enumerable.Range(0, 40).Select(i => i % 2)]), [], 1).Status, Is.EqualTo(GeometryStatus.NotFinite));
    }
}
