using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Geometry.Heads;

/// <summary>Choices against classes, timescales, gains of mixing, angles at places.</summary>
public class PartTests
{
    [Test]
    public void AClassWithAChoiceOfItsOwnIsPure()
    {
        int[] classes = [.. Enumerable.Range(0, 4000).Select(i => i % 4)];
        Purity pure = Purity.Measure(classes, [.. classes.Select(c => 3 - c)]);
        Assert.That((pure.Points, pure.Classes, pure.Choices), Is.EqualTo((4000, 4, 4)));
        Assert.That(pure.Uncorrected, Is.EqualTo(1).Within(1e-12));
        Assert.That(pure.Bias, Is.EqualTo(9.0 / 8000 / Math.Log(4)).Within(1e-12));
        Assert.That(pure.Corrected, Is.EqualTo(1 - pure.Bias).Within(1e-12));
        Purity half = Purity.Measure(classes, [.. classes.Select(c => c / 2)]);
        Assert.That(half.Uncorrected, Is.EqualTo(0.5).Within(1e-12));
    }

    [Test]
    public void IndependentChoicesHaveNoPurityOnceItsBiasIsOff()
    {
        // 20 classes and 8 choices of 1,000 points: what is there by chance is 133/2000 nats.
        double[] corrected = new double[60], uncorrected = new double[60];
        int[] classes = [.. Enumerable.Range(0, 1000).Select(i => i % 20)];
        for (int i = 0; i < corrected.Length; i++)
        {
            var random = new GaussianSource((ulong)i + 1);
            Purity purity = Purity.Measure(classes, [.. classes.Select(_ => random.NextInt(8))]);
            (corrected[i], uncorrected[i]) = (purity.Corrected!.Value, purity.Uncorrected!.Value);
        }

        Assert.That(uncorrected.Average(), Is.EqualTo(133 / 2000.0 / Math.Log(20)).Within(4).Percent);
        Assert.That(corrected.Average(), Is.Zero.Within(0.001));
        Assert.That(Purity.Shuffled(classes, classes, 1).Corrected, Is.Zero.Within(0.02));
    }

    [Test]
    public void PointsWithoutAClassAreLeftOut()
    {
        Assert.That(Purity.Measure([0, -1, 1, -1], [0, 5, 1, 6]) is { Points: 2, Choices: 2, Uncorrected: 1 });
        Assert.That(Purity.Measure([2, 2, -1], [0, 1, 1]).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
    }

    [Test]
    public void TimescaleOfAnExponential()
    {
        double[] lags = [1, 2, 4, 8, 16], values = [.. lags.Select(lag => 3 * Math.Exp(-lag / 7))];
        Assert.That(Timescale.Fit(lags, values), Is.EqualTo(7).Within(1e-9));
        Assert.That(Timescale.Fit(lags, [1, 1, 1, 1, 1]), Is.EqualTo(double.PositiveInfinity));
        Assert.That(Timescale.Fit(lags, [0, 0, 1, 0, 0]), Is.Null);
        Assert.That(Timescale.Quantile([3, 1, 2], 0.5), Is.EqualTo(2));
        Assert.That(Timescale.Quantile([0, 10], 0.25), Is.EqualTo(2.5));
    }

    [Test]
    public void MixingThatIsDoublyStochasticHasAGainOfOne()
    {
        var mixing = new MixingProduct();
        mixing.Then([0.7f, 0.3f, 0.3f, 0.7f], 1);
        mixing.Then([0.1f, 0.9f, 0.9f, 0.1f], 1);
        MixingGain gain = mixing.Gain();
        Assert.That((double[])[gain.Forward, gain.Backward, gain.Spectral, gain.MostForward, gain.MostBackward], Is.All.EqualTo(1).Within(1e-6));
    }

    [Test]
    public void GainOfMixingThatIsFree()
    {
        // Of two tokens: [[2, 1], [0, 1]] twice, [[4, 3], [0, 1]], and the identity.
        var mixing = new MixingProduct();
        mixing.Then([2, 1, 0, 1, 1, 0, 0, 1], 2);
        mixing.Then([2, 1, 0, 1, 1, 0, 0, 1], 2);
        MixingGain gain = mixing.Gain();
        Assert.That((gain.MostForward, gain.MostBackward, gain.Forward, gain.Backward), Is.EqualTo((7.0, 4.0, 4.0, 2.5)));
        Assert.That(gain.Spectral, Is.EqualTo((1 + Math.Sqrt((26 + Math.Sqrt((26 * 26) - (4 * 16))) / 2)) / 2).Within(1e-12));
    }

    [Test]
    public void AnglesByPlace()
    {
        // Right turns of a square in its first trajectory; a stop and a line in the second.
        float[] points = [0, 0, 1, 0, 1, 1, 0, 1, 5, 5, 5, 5, 6, 6, 7, 7];
        Assert.That(Curvature.ByPlace(points, 4, 2), Is.EqualTo(new[] { float.NaN, 90, 90, float.NaN, float.NaN, float.NaN, 0, float.NaN }).Within(1e-4f));
        float[] random = Clouds.Gauss(60, 5, 77);
        Assert.That(Curvature.ByPlace(random, 20, 5).Where(a => !float.IsNaN(a)).Average(), Is.EqualTo(Curvature.Measure(random, 20, 5).Degrees).Within(1e-3));
    }

    [Test]
    public void SomethingBeginsAfterAnEmptyLineAndWithADocument()
    {
        var tokenizer = new ByteTokenizer();
        int[] tokens = tokenizer.Encode("ab\n \nc\nd\n\n\ne|\n\nf..");
        int[] documents = [.. tokens.Select((_, i) => i < 16 ? 0 : 1)];
        bool[] begins = TopicBoundaries.Find(tokens, documents, 18, tokenizer);
        Assert.That(Enumerable.Range(0, begins.Length).Where(i => begins[i]), Is.EqualTo(new[] { 5, 11, 15, 16 }));
        Assert.That(TopicBoundaries.Find(tokens, documents, 18, null).Count(b => b), Is.EqualTo(1), "without text documents alone count");
        Assert.That(TopicBoundaries.Find(tokens, documents, 6, tokenizer)[6..], Has.Exactly(3).True, "a window's first token is none, and what was before it is not known");
    }
}
