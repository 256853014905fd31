using System.Text.RegularExpressions;
using NanoFold.Kernels.Lanes;
using NanoFold.Tests.Architecture;

namespace NanoFold.Tests.Lanes;

public partial class PortableMathTests
{
    [Test]
    public void KernelsAskNoLibraryForFunctions()
    {
        // The system's functions differ in their last bits, so that what is portable would not be.
        IEnumerable<string> asking = SourceTree.Files(RepositoryRoot.File("kernels/NanoFold.Kernels/Cpu")).Where(file => LibraryFunction().IsMatch(File.ReadAllText(file)));
        Assert.That(asking, Is.Empty, $"use {nameof(PortableMath)}");
    }

    [Test]
    public void ValuesAreThoseOfTheLibraryToTheLastBits()
    {
        var random = new Random(9);
        for (int i = 0; i < 5000; i++)
        {
            double x = ((random.NextDouble() * 2) - 1) * Math.Pow(10, random.Next(-8, 3)), positive = Math.Abs(x) * Math.Pow(2, random.Next(-30, 30));
            Assert.That(PortableMath.Exp(x / 2), Is.EqualTo(Math.Exp(x / 2)).Within(2).Ulps);
            Assert.That(PortableMath.Log(positive), Is.EqualTo(Math.Log(positive)).Within(3).Ulps);
            Assert.That(PortableMath.Pow(positive, x / 50), Is.EqualTo(Math.Pow(positive, x / 50)).Within(1).Ulps);
            (double sin, double cos) = PortableMath.SinCos(x * 100);
            Assert.That(sin, Is.EqualTo(Math.Sin(x * 100)).Within(1).Ulps);
            Assert.That(cos, Is.EqualTo(Math.Cos(x * 100)).Within(1).Ulps);
        }
    }

    [Test]
    public void TheirBitsAreTheSameEverywhere()
    {
        Assert.That(PortableMath.Exp(1), Is.EqualTo(2.7182818284590455));
        Assert.That(PortableMath.Log(10), Is.EqualTo(2.302585092994046));
        Assert.That(PortableMath.Pow(10000, -0.25), Is.EqualTo(0.1));
        Assert.That(PortableMath.Pow(2, 0.5), Is.EqualTo(1.4142135623730951));
        Assert.That(PortableMath.SinCos(1), Is.EqualTo((0.8414709848078965, 0.5403023058681398)));
    }

    [Test]
    public void EdgesAreThoseOfTheLibrary()
    {
        Assert.That(PortableMath.Exp(-800), Is.Zero);
        Assert.That(PortableMath.Exp(710), Is.EqualTo(double.PositiveInfinity));
        Assert.That(PortableMath.Exp(-744), Is.EqualTo(Math.Exp(-744)).Within(50).Percent);
        Assert.That(PortableMath.Exp(double.NaN), Is.NaN);
        Assert.That(PortableMath.Exp(double.NegativeInfinity), Is.Zero);
        Assert.That(PortableMath.Exp(0), Is.EqualTo(1));
        Assert.That(PortableMath.Log(0), Is.EqualTo(double.NegativeInfinity));
        Assert.That(PortableMath.Log(-1), Is.NaN);
        Assert.That(PortableMath.Log(1), Is.Zero);
        Assert.That(PortableMath.Log(5e-324), Is.EqualTo(Math.Log(5e-324)).Within(2).Ulps);
        Assert.That(PortableMath.Pow(0.9, 3), Is.EqualTo(0.9 * 0.9 * 0.9).Within(2).Ulps);
        Assert.That(PortableMath.SinCos(0), Is.EqualTo((0.0, 1.0)));
    }

    [Test]
    public void TablesDoNotDependOnTheLibrarysLastBits()
    {
        // Between two floats, but for a unit of the last place of a double.
        double middle = ((double)1.5f + MathF.BitIncrement(1.5f)) / 2;
        Assert.That(PortableMath.IsNearMiddle(Math.BitIncrement(middle)), Is.True);
        Assert.That(PortableMath.IsNearMiddle(middle + 1e-10), Is.False);
        for (int position = 0; position < 3000; position++)
        {
            (double sin, double cos) = PortableMath.SinCosForSingle(position * 0.749894209332456);
            (double exactSin, double exactCos) = PortableMath.SinCos(position * 0.749894209332456);
            Assert.That(((float)sin, (float)cos), Is.EqualTo(((float)exactSin, (float)exactCos)));
        }
    }

    [GeneratedRegex(@"\bMathF?\.(Exp|Log\w*|Pow|Sin|Cos|SinCos|Tan|Tanh|Cbrt|A?Sinh|A?Cosh|Atan\w*|Erf)\(")]
    private static partial Regex LibraryFunction();
}
