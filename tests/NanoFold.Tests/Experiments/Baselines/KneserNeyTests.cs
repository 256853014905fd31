using NanoFold.Engine.Experiments.Baselines;

namespace NanoFold.Tests.Experiments.Baselines;

/// <summary>Interpolated Kneser-Ney: as by its formulas, and probabilities.</summary>
public sealed class KneserNeyTests
{
    [TestCase(5, 900, 12, 0)]
    [TestCase(3, 3000, 200, 0)]
    [TestCase(5, 600, 3, 2)]
    [TestCase(4, 4, 2, 4)]
    [TestCase(5, 2, 3, 2)]
    public void ItIsWhatItsFormulasSay(int order, int length, int vocab, int leastFallbacks)
    {
        int[] train = Draw(length, vocab, 1), text = Draw(60, vocab, 2);
        var plain = new PlainKneserNey(train, vocab, Math.Min(order, length));
        Assert.That(plain.Fallbacks, Is.GreaterThanOrEqualTo(leastFallbacks).And.LessThanOrEqualTo(leastFallbacks == 0 ? 2 : order));
        (int Place, int Known)[] asked = [.. Enumerable.Range(0, 60).Select(place => (place, Math.Min(place, place % 7)))];
        double[] found = KneserNey.Probabilities(train, vocab, text, asked, order);
        double[] expected = [.. asked.Select(a => plain.Of(text[(a.Place - Math.Min(a.Known, order - 1))..a.Place], text[a.Place]))];
        Assert.That(found, Is.EqualTo(expected).Within(1e-12));
    }

    /// <summary>After whatever was seen or not.</summary>
    [TestCase(new int[0])]
    [TestCase(new[] { 3 })]
    [TestCase(new[] { 1, 0, 2, 1 })]
    [TestCase(new[] { 11, 11, 11, 11 })]
    public void ProbabilitiesSumToOne(int[] history)
    {
        const int Vocab = 12;
        int[] text = [.. Enumerable.Range(0, Vocab).SelectMany(word => (int[])[.. history, word])];
        (int, int)[] asked = [.. Enumerable.Range(0, Vocab).Select(word => ((word * (history.Length + 1)) + history.Length, history.Length))];
        double[] found = KneserNey.Probabilities(Draw(900, Vocab - 1, 1), Vocab, text, asked);
        Assert.That(found.Sum(), Is.EqualTo(1).Within(1e-12));
        Assert.That(found, Is.All.Positive);
    }

    [Test]
    public void DiscountsAreThoseOfThePaper()
    {
        // Y = 10 / (10 + 2 · 4): 1 − 2 Y 4 / 10, 2 − 3 Y 2 / 4, 3 − 4 Y 1 / 2.
        (double one, double two, double more) = KneserNey.Discounts(10, 4, 2, 1);
        Assert.That(new[] { one, two, more }, Is.EqualTo(new[] { 5.0 / 9, 7.0 / 6, 17.0 / 9 }).Within(1e-12));
        Assert.That(KneserNey.Discounts(10, 0, 2, 1), Is.EqualTo((0.5, 1.0, 1.5)));
        Assert.That(KneserNey.Discounts(10, 1, 9, 9), Is.EqualTo((0.5, 1.0, 1.5)), "which would be below 0");
    }

    // Zipf's law, and each token twice as often after itself.
    private static int[] Draw(int length, int vocab, int seed)
    {
        var random = new Random(seed);
        int[] tokens = new int[length];
        for (int i = 0; i < length; i++)
        {
            tokens[i] = i > 0 && random.Next(4) == 0 ? tokens[i - 1] : (int)(vocab * Math.Pow(random.NextDouble(), 2.5));
        }

        return tokens;
    }
}
