using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Tests.Cpu.Attention;

public sealed class SoftmaxPowerTests
{
    [Test]
    public void AgreesWithPowersOfTheLibrary()
    {
        double worst = 0, worstOfWidest = 0;
        for (int i = 0; i < 200_000; i++)
        {
            float x = -i * (125.9f / 200_000);
            double expected = Math.Pow(2, x);
            worst = Math.Max(worst, Math.Abs(Wide(x) / expected - 1));
            // Where 512 bits are emulated the general exponential stands in: its argument is rounded.
            double rounding = Vector512.IsHardwareAccelerated ? 0 : Math.Abs(x) * Math.ScaleB(1, -24);
            worstOfWidest = Math.Max(worstOfWidest, Math.Abs(Widest(x) / expected - 1) - rounding);
        }

        Assert.That(worst, Is.LessThan(2.4e-7));
        Assert.That(worstOfWidest, Is.LessThan(2.4e-7));
    }

    [TestCase(0f, 1f)]
    [TestCase(-1f, 0.5f)]
    [TestCase(-127f, 0f)]
    [TestCase(-1e30f, 0f)]
    [TestCase(float.NegativeInfinity, 0f)]
    [TestCase(float.NaN, float.NaN)]
    public void EndsAreExact(float x, float expected)
    {
        Assert.That(Wide(x), Is.EqualTo(expected));
        Assert.That(Widest(x), Is.EqualTo(expected).Within(Vector512.IsHardwareAccelerated ? 0 : 1e-7f));
    }

    private static float Wide(float x) => SoftmaxPower.Of(new Lane8(Vector256.Create(x))).Value[3];

    private static float Widest(float x) => SoftmaxPower.Of(new Lane16(Vector512.Create(x))).Value[9];
}
