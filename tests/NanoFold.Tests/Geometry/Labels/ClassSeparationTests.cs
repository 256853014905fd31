using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Labels;

/// <summary>Classes whose figures are known.</summary>
public sealed class ClassSeparationTests
{
    private const int Classes = 10, Width = 64, Each = 500;
    private const double Radius = 3, Noise = 0.2;

    /// <summary>Equal angles between means, the same noise around each: NC1 = σ²(C − 1)²/(C r²), CDNV = Dσ²(C − 1)/(2r²C), cos −1/(C − 1).</summary>
    [Test]
    public void ASimplexWithNoiseHasTheFiguresOfTheory()
    {
        (float[] values, int[] labels) = Simplex(Noise, Each);
        ClassSeparation found = ClassSeparation.Measure(values, Width, ClassSample.Of(labels));
        Assert.That((found.Status, found.Points, found.Classes), Is.EqualTo((GeometryStatus.Ok, Classes * Each, Classes)));
        Assert.That(found.Nc1, Is.EqualTo(0.0360).Within(2).Percent);
        Assert.That(found.Cdnv, Is.EqualTo(0.1280).Within(1).Percent);
        Assert.That(found.MeanCosine, Is.EqualTo(-0.1111).Within(0.0005));
        Assert.That(found.CosineDeviation, Is.LessThan(0.005));
        Assert.That((found.NearestMean, found.NearestMeanHeldOut), Is.EqualTo((1.0, 1.0)));
    }

    [Test]
    public void FiguresKeepUnderRotationScaleAndShiftAndTheOrderOfClasses()
    {
        (float[] values, int[] labels) = Simplex(1, 40);
        float[] moved = [.. values.Chunk(Width).SelectMany(row => row.Select((_, k) => (3 * row[(k + 5) % Width]) + 2))];
        int[] renamed = [.. labels.Select(label => 100 - label)];
        ClassSeparation one = ClassSeparation.Measure(values, Width, ClassSample.Of(labels)), other = ClassSeparation.Measure(moved, Width, ClassSample.Of(renamed));
        Assert.That(other.Nc1, Is.EqualTo(one.Nc1).Within(1e-5));
        Assert.That(other.Cdnv, Is.EqualTo(one.Cdnv).Within(1e-5));
        Assert.That(other.NearestMean, Is.EqualTo(one.NearestMean));
    }

    [Test]
    public void ClassesOfNothingAreNearestByChance()
    {
        float[] values = Clouds.Gauss(4000, 8, 5);
        int[] labels = [.. Enumerable.Range(0, 4000).Select(i => i * 7919 % 4)];
        ClassSeparation found = ClassSeparation.Measure(values, 8, ClassSample.Of(labels));
        Assert.That(found.NearestMeanHeldOut, Is.EqualTo(0.25).Within(0.03));
        Assert.That(found.Nc1, Is.GreaterThan(100));
    }

    [Test]
    public void WhatCannotBeMeasuredIsSaid()
    {
        Assert.That(ClassSeparation.Measure([1, 2, 3], 1, ClassSample.Of([0, 0, 0])).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(ClassSeparation.Measure([1, 1, 1, 1], 1, ClassSample.Of([0, 0, 1, 1])).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(ClassSeparation.Measure([1, float.NaN, 1, 1], 1, ClassSample.Of([0, 0, 1, 1])).Status, Is.EqualTo(GeometryStatus.NotFinite));
        ClassSeparation two = ClassSeparation.Measure([0, 2, 9, 11], 1, ClassSample.Of([0, 0, 1, 1]));
        // Variances 1, means 1 and 10: Σ_W = 1, Σ_B = 4.5².
        Assert.That(new[] { two.Nc1, two.Cdnv, two.MeanCosine }, Is.EqualTo(new[] { 1 / (2 * 4.5 * 4.5), 1.0 / 81, -1 }).Within(1e-12));
    }

    [Test]
    public void TheMostFrequentClassesAreTaken()
    {
        int[] labels = [5, 5, 5, -1, 2, 2, 9, 9, 1];
        ClassSample all = ClassSample.Of(labels), two = ClassSample.Of(labels, least: 2, most: 2);
        Assert.That(all.Numbers, Is.EqualTo(new[] { 5, 2, 9 }));
        Assert.That(two.Numbers, Is.EqualTo(new[] { 5, 2 }));
        Assert.That(two.Rows, Is.EqualTo(new[] { 0, 1, 2, 4, 5 }));
        Assert.That(two.Classes, Is.EqualTo(new[] { 0, 0, 0, 1, 1 }));
        Assert.That(two.Majority, Is.EqualTo(0.6));
    }

    /// <summary>Rows around the corners of a simplex of radius 3.</summary>
    internal static (float[] Values, int[] Labels) Simplex(double noise, int each, ulong seed = 1)
    {
        var random = new GaussianSource(seed);
        var values = new float[Classes * each * Width];
        int[] labels = [.. Enumerable.Range(0, Classes * each).Select(i => i % Classes)];

        // Corner c is e_c less the mean of all, of length √(1 − 1/C).
        double scale = Radius / Math.Sqrt(1 - (1.0 / Classes));
        for (int i = 0; i < values.Length; i++)
        {
            int k = i % Width;
            double corner = k < Classes ? scale * ((k == labels[i / Width] ? 1 : 0) - (1.0 / Classes)) : 0;
            values[i] = (float)(corner + (noise * random.NextNormal()));
        }

        return (values, labels);
    }
}
