using System.Text.Json;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry.Network;

/// <summary>What the head reads in each layer.</summary>
public class LogitLensTests : EngineTests
{
    [Test]
    public void FiguresOfATrainedModelAreThePublishedOnes()
    {
        JsonElement[] expected = [.. NetworkSamples.Expected("logitLens").EnumerateArray()];
        using NetworkSamples samples = NetworkSamples.Published(Backend());
        Dictionary<FigurePlace, FigureWriter> measured = NetworkSamples.Take(figures => new LogitLensMeasure { Tokens = 4096 }.Take(samples.Sample, figures));
        foreach (JsonElement layer in expected)
        {
            FigureWriter own = measured.Single(one => one.Key.Point == layer.GetProperty("point").GetString()).Value;
            double Of(string figure) => own.Figures.Single(f => f.Name == figure).Value!.Value;
            Assert.That(Of("klFinalToLens"), Is.EqualTo(layer.GetProperty("klFinalToLens").GetDouble()).Within(1e-4));
            Assert.That(Of("klLensToFinal"), Is.EqualTo(layer.GetProperty("klLensToFinal").GetDouble()).Within(1e-4));
            Assert.That(Of("lensLoss"), Is.EqualTo(layer.GetProperty("loss").GetDouble()).Within(1e-4));
            Assert.That(Of("topAgreement"), Is.EqualTo(layer.GetProperty("top1Agreement").GetDouble()).Within(1e-3));
        }
    }

    [Test]
    public void TheLastLayerSaysWhatTheModelSays()
    {
        using var tiny = new TinyModel(ModelVariants.Base, Backend());
        using NetworkSamples samples = NetworkSamples.Of(tiny.Model);
        Dictionary<FigurePlace, FigureWriter> measured = NetworkSamples.Take(figures => new LogitLensMeasure { Top = 3 }.Take(samples.Sample, figures));
        Assert.That(measured.Keys.Select(place => place.Layer), Is.EqualTo(new[] { 0 }.Concat(Enumerable.Range(0, tiny.Model.Config.Layers))));
        FigureWriter last = measured.Last().Value, first = measured.First().Value;
        Assert.That(last.Figures[0].Value, Is.Zero.Within(1e-9));
        Assert.That(last.Figures.Single(f => f.Name == "topAgreement").Value, Is.EqualTo(1));
        Assert.That(first.Figures[0].Value, Is.GreaterThan(1e-3));
        // Tokens of the last places of the first row, most likely first.
        int shown = Math.Min(16, tiny.Time);
        Assert.That(last.Arrays.Select(a => (a.Name, a.Shape)), Is.EqualTo(new[] { ("places", new[] { shown }), ("tokens", [shown]), ("topTokens", [shown, 3]), ("topProbabilities", [shown, 3]) }));
        float[] probabilities = (float[])last.Arrays[3].Values;
        Assert.That(probabilities.Chunk(3), Is.All.Ordered.Descending);
    }

    [Test]
    public void DivergencesAreThoseOfTheirDefinition()
    {
        double[] p = new double[3], q = new double[3];
        TokenDistributions.LogSoftmax([(float)Math.Log(2), 0, 0], p);
        TokenDistributions.LogSoftmax([1000, 1000, 1000], q);
        Assert.That(p.Select(Math.Exp), Is.EqualTo(new[] { 0.5, 0.25, 0.25 }).Within(1e-7));
        Assert.That(TokenDistributions.Divergence(p, q), Is.EqualTo((0.5 * Math.Log(1.5)) + (0.5 * Math.Log(0.75))).Within(1e-7));
        Assert.That(TokenDistributions.Divergence(q, p), Is.EqualTo((Math.Log(2 / 3.0) / 3) + (2 * Math.Log(4 / 3.0) / 3)).Within(1e-7));
        Assert.That(TokenDistributions.Divergence(p, p), Is.Zero);
        Assert.That(TokenDistributions.Entropy(q), Is.EqualTo(Math.Log(3)).Within(1e-12));
        Assert.That(TokenDistributions.Largest([1, 3, 2, 3], 3), Is.EqualTo(new[] { 1, 3, 2 }));
    }
}
