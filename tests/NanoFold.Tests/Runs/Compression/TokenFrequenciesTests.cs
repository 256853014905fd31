using NanoFold.Engine;
using NanoFold.Engine.Runs.Compression;

namespace NanoFold.Tests.Runs.Compression;

public class TokenFrequenciesTests
{
    [Test]
    public void TheyAreExponentialsAndOne()
    {
        var random = new Random(3);
        float[] logits = [.. Enumerable.Range(0, 700).Select(_ => (float)((random.NextDouble() * 30) - 10))];
        var frequencies = Of(logits);
        float most = logits.Max();
        for (int i = 0; i < logits.Length; i++)
        {
            double expected = 1 + (Math.Pow(2, 30) * Math.Exp((double)logits[i] - most));
            Assert.That((double)frequencies[i], Is.EqualTo(expected).Within(1 + (expected * 1e-4)));
        }

        Assert.That(frequencies.Total, Is.EqualTo(logits.Select((_, i) => frequencies[i]).Aggregate((a, b) => a + b)));
    }

    [Test]
    public void EqualLogitsGiveTheSameNumbersOnAnyMachine()
    {
        TokenFrequencies frequencies = Of([0f, -0.1f, -1f, -3.5f, -10f, -20f, -25f, -1e30f, float.NegativeInfinity]);
        Assert.That(Enumerable.Range(0, 9).Select(i => frequencies[i]), Is.EqualTo(new ulong[] { 1073741825, Weight(0.1), Weight(1), Weight(3.5), Weight(10), 3, 1, 1, 1 }));

        // 2^(−steps / 65536), where a nat has 94548.2 steps.
        static ulong Weight(double nats) => (ulong)Math.Floor(Math.Pow(2, 30 - (Math.Floor((float)nats * 94548.2f) / 65536))) + 1;
    }

    [Test]
    public void EveryPlaceHasItsToken()
    {
        var random = new Random(5);
        float[] logits = [.. Enumerable.Range(0, 600).Select(_ => (float)(random.NextDouble() * -18))];
        int[] lengths = [.. logits.Select((_, i) => i % 7 == 3 ? 0 : 2)];
        var frequencies = new TokenFrequencies(lengths);
        frequencies.Set(logits);
        ulong start = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            Assert.That(frequencies.Start(i), Is.EqualTo(start));
            Assert.That(frequencies[i] == 0, Is.EqualTo(lengths[i] == 0), "only what stands for bytes is coded");
            if (frequencies[i] > 0)
            {
                Assert.That(frequencies.Find(start, out ulong first), Is.EqualTo(i));
                Assert.That(first, Is.EqualTo(start));
                Assert.That(frequencies.Find(start + frequencies[i] - 1, out _), Is.EqualTo(i));
            }

            start += frequencies[i];
        }

        Assert.That(start, Is.EqualTo(frequencies.Total));
    }

    [Test]
    public void BitsAreThoseOfTheSoftmax()
    {
        float[] logits = [1, 2, -4, 0.5f];
        TokenFrequencies frequencies = Of(logits);
        double sum = logits.Sum(l => Math.Exp(l));
        for (int i = 0; i < logits.Length; i++)
        {
            Assert.That(frequencies.Bits(i, logits), Is.EqualTo(Math.Log2(sum / Math.Exp(logits[i]))).Within(1e-4));
            Assert.That(Math.Log2((double)frequencies.Total / frequencies[i]), Is.EqualTo(Math.Log2(sum / Math.Exp(logits[i]))).Within(1e-4));
        }
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void LogitsThatAreNoNumbersAreRefused(float wrong)
        => Assert.That(() => Of([1, wrong, 2]), Throws.TypeOf<UserException>().With.Message.Contains("not finite"));

    private static TokenFrequencies Of(float[] logits)
    {
        var frequencies = new TokenFrequencies([.. logits.Select(_ => 1)]);
        frequencies.Set(logits);
        return frequencies;
    }
}
