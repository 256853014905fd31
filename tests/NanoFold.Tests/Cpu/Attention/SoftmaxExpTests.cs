using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Tests.Cpu.Attention;

public sealed class SoftmaxExpTests
{
    [Test]
    public void AgreesWithTheExponentialOfTheLibrary()
    {
        double worst = 0;
        for (int i = 0; i < 200_000; i++)
        {
            float x = -i * (86.9f / 200_000);
            double expected = Math.Exp(x);
            worst = Math.Max(worst, Math.Abs(Wide(x) / expected - 1));
            worst = Math.Max(worst, Math.Abs(Widest(x) / expected - 1));
        }

        Assert.That(worst, Is.LessThan(2.4e-7));
    }

    [TestCase(0f, 1f)]
    [TestCase(-87.5f, 0f)]
    [TestCase(-1e30f, 0f)]
    [TestCase(float.NegativeInfinity, 0f)]
    [TestCase(float.NaN, float.NaN)]
    public void EndsAreExact(float x, float expected)
    {
        Assert.That(Wide(x), Is.EqualTo(expected));
        Assert.That(Widest(x), Is.EqualTo(expected).Within(x == -87.5f ? 1e-37f : 0));
    }

    private static float Wide(float x) => SoftmaxExp.Of(new Lane8(Vector256.Create(x))).Value[3];

    private static float Widest(float x) => SoftmaxExp.Of(new Lane16(Vector512.Create(x))).Value[9];
}
