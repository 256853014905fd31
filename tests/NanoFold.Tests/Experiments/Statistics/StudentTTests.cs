using NanoFold.Engine.Experiments.Statistics;

namespace NanoFold.Tests.Experiments.Statistics;

/// <summary>Expected values were computed with mpmath in 30 digits: the incomplete beta function, its inverse, and the integral of the noncentral distribution.</summary>
public class StudentTTests
{
    [TestCase(0.5, 1, 0.70483276469913345)]
    [TestCase(2, 2, 0.18350341907227397)]
    [TestCase(12.7, 1, 0.05002432768934416)]
    [TestCase(3, 4, 0.039941968071718827)]
    [TestCase(-3, 4, 0.039941968071718827)]
    [TestCase(50, 2, 0.00039976015988808058)]
    [TestCase(1.96, 1000, 0.050273184955748718)]
    [TestCase(1e-3, 7, 0.99923001724499884)]
    [TestCase(300, 9, 2.5858413840388324e-19)]
    [TestCase(0, 5, 1)]
    [TestCase(double.PositiveInfinity, 5, 0)]
    public void TailsAreThoseOfTheDistribution(double t, double freedom, double expected)
        => Assert.That(StudentT.TwoSided(t, freedom), Is.EqualTo(expected).Within(1e-12 * expected));

    [TestCase(0.05, 1, 12.706204736174704)]
    [TestCase(0.05, 2, 4.3026527297494637)]
    [TestCase(0.05, 4, 2.7764451051977943)]
    [TestCase(0.05, 9, 2.2621571627982055)]
    [TestCase(0.05, 999, 1.96234146113345)]
    [TestCase(0.001, 2, 31.59905457644362)]
    public void CriticalValuesAreThoseOfTables(double share, double freedom, double expected)
        => Assert.That(StudentT.Critical(share, freedom), Is.EqualTo(expected).Within(1e-12 * expected));

    [TestCase(1, 1, 0.07298889446967)]
    [TestCase(2, 2, 0.218307074846783)]
    [TestCase(3, 2, 0.387400128525971)]
    [TestCase(3.1622776601683795, 9, 0.803096856632722)]
    [TestCase(-3, 8, 0.748017092229476)]
    [TestCase(2.9154759474226504, 33, 0.807777501279274)]
    public void PowerIsThatOfTheNoncentralDistribution(double noncentrality, double freedom, double expected)
        => Assert.That(StudentT.Power(noncentrality, freedom, 0.05), Is.EqualTo(expected).Within(1e-6));

    // As in power tables for a paired test: 80 % at 5 %, two-sided.
    [TestCase(0.2, 199)]
    [TestCase(0.5, 34)]
    [TestCase(0.8, 15)]
    [TestCase(1, 10)]
    [TestCase(1.5, 6)]
    [TestCase(2, 5)]
    [TestCase(3, 4)]
    [TestCase(-5, 3)]
    [TestCase(100, 2)]
    [TestCase(0, null)]
    [TestCase(0.001, null)]
    public void SeedsAreThoseOfPowerTables(double size, int? expected)
    {
        Assert.That(SeedsNeeded.For(size, 1), Is.EqualTo(expected));
        Assert.That(SeedsNeeded.For(size * 0.013, 0.013), Is.EqualTo(expected), "only the share of the spread counts");
    }

    [Test]
    public void WithoutASpreadNoNumberIsKnown() => Assert.That(SeedsNeeded.For(0.1, 0), Is.Null);
}
