using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Dimensions;

public class GaussianCalibrationTests
{
    [TestCase(0, 0)]
    [TestCase(57, 57)]
    [TestCase(504, 500)]
    [TestCase(1987, 2000)]
    [TestCase(1234, 1200)]
    [TestCase(100_000, GaussianCalibration.MaxPoints)]
    public void PointsAreRounded(int n, int expected) =>
        Assert.That(GaussianCalibration.PointsFor(n), Is.EqualTo(expected));

    [Test]
    public void FindsTheDimensionOfAGaussian()
    {
        foreach (int d in new[] { 5, 30, 100 })
        {
            DimensionEstimate measured = TwoNN.Fit(NearestNeighbors.Search(Clouds.Gauss(800, d, 11), 800, d, 2));
            CalibratedDimension calibrated = GaussianCalibration.Calibrate(measured, 150);
            Assert.That(calibrated.Status, Is.EqualTo(GeometryStatus.Ok));
            Assert.That(calibrated.Range, Is.EqualTo(CalibrationRange.Inside));
            Assert.That(calibrated.GaussianPoints, Is.EqualTo(800));
            Assert.That(calibrated.GaussianDimension, Is.EqualTo(d).Within(20).Percent);
        }
    }

    [Test]
    public void CurveEndsAtTheWidthAndRises()
    {
        CalibrationCurve curve = GaussianCalibration.Curve(DimensionMethod.TwoNNFit(), 400, 64);
        Assert.That(curve.Dimensions, Is.EqualTo(new[] { 1, 2, 5, 10, 20, 50, 64 }));
        Assert.That(curve.Estimates, Is.Ordered.Ascending);
        Assert.That(curve.Estimates[1], Is.EqualTo(2).Within(10).Percent);
        Assert.That(GaussianCalibration.Curve(DimensionMethod.TwoNNFit(), 404, 64).Estimates, Is.EqualTo(curve.Estimates));
        Assert.That(GaussianCalibration.Curve(DimensionMethod.TwoNNFit(), 400, 1).Dimensions, Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void InversionMeetsTheTableAndItsEnds()
    {
        CalibrationCurve curve = GaussianCalibration.Curve(DimensionMethod.LevinaBickel(), 400, 64);
        for (int i = 0; i < curve.Dimensions.Count; i++)
        {
            Assert.That(curve.Invert(curve.Estimates[i]).Dimension, Is.EqualTo(curve.Dimensions[i]).Within(1e-9));
        }

        Assert.That(curve.Invert(0.01), Is.EqualTo(((double?)1, CalibrationRange.Below)));
        Assert.That(curve.Invert(1e6), Is.EqualTo(((double?)64, CalibrationRange.Above)));
    }

    [Test]
    public void ReferenceIsKeyedBySeedAndMethod()
    {
        double? a = GaussianCalibration.Reference(DimensionMethod.TwoNNFit(), 200, 10, 1);
        Assert.That(GaussianCalibration.Reference(DimensionMethod.TwoNNFit(), 200, 10, 1), Is.EqualTo(a));
        Assert.That(GaussianCalibration.Reference(DimensionMethod.TwoNNFit(), 200, 10, 2), Is.Not.EqualTo(a));
        Assert.That(GaussianCalibration.Reference(DimensionMethod.TwoNNFit(0.02), 200, 10, 1), Is.Not.EqualTo(a));
    }

    [Test]
    public void WithoutAFigureTheStatusGoesThrough()
    {
        DimensionEstimate none = TwoNN.Fit(NearestNeighbors.Search(new float[30], 30, 1, 2));
        CalibratedDimension calibrated = GaussianCalibration.Calibrate(none, 10);
        Assert.That(calibrated.Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(calibrated.GaussianDimension, Is.Null);
        Assert.That(GaussianCalibration.Reference(DimensionMethod.TwoNNFit(), 2, 5), Is.Null);
        Assert.That(GaussianCalibration.Reference(DimensionMethod.Gride(64), 30, 5), Is.Null);
    }
}
