using NanoFold.Engine.Geometry.Words;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry.Memories;

/// <summary>Vectors of tokens, and which are near.</summary>
public sealed class TokenVectorTests : EngineTests
{
    [Test]
    public void TheNearestAreThoseOfTheSmallestAngleOnceTheMeanIsTakenOff()
    {
        // Around (10, 10): right, up, left, down, up again but farther, and one that no text has.
        var vectors = new TokenVectors([12, 10, 10, 12, 8, 10, 10, 8, 10, 14, 10, 6, 99, 99], 2, [1, 1, 1, 1, 1, 1, 0]);
        Assert.That(vectors.Count, Is.EqualTo(6));
        Assert.That(vectors.Row(0).ToArray(), Is.EqualTo(new float[] { 2, 0 }));
        Assert.That(vectors.Has(6), Is.False);
        IReadOnlyList<NearToken> near = vectors.Nearest(vectors.Of([1]), 5, new HashSet<int> { 1 });
        Assert.That(near.Select(one => (one.Token, Math.Round(one.Cosine, 6))), Is.EqualTo(new[] { (4, 1.0), (0, 0), (2, 0), (3, -1), (5, -1) }));
        Assert.That(vectors.Of([0, 1]), Is.EqualTo(new float[] { 1, 1 }));
    }

    [Test]
    public void ALayersVectorIsTheMeanOverTheTextAndTheEmbeddingsItsRow()
    {
        using var model = new TinyModel(new ModelConfig { Layers = 1, Width = 8, Heads = 2, Context = 8, Hidden = 12, Vocab = 5 }, Backend());
        int[][] rows = [[0, 1, 2, 3, 1], [3, 1, 1]];
        Assert.That(WordPlaces.Of(model.Model), Is.EqualTo(new[] { "embedding", "0", "head" }));
        TokenVectors layer = WordPlaces.Vectors(model.Model, "0", rows), embedding = WordPlaces.Vectors(model.Model, "embedding", rows);
        Assert.That(Enumerable.Range(0, 5).Select(layer.Has), Is.EqualTo(new[] { false, true, true, true, false }), "the first of a row is left out");
        Assert.That((layer.Count, embedding.Count), Is.EqualTo((3, 5)));

        var seen = new List<float[]>();
        new Engine.Geometry.Sampling.SequenceRuns { Points = ["blocks.0.hook_resid_post"], Read = (_, _, values) => seen.Add(values.ToArray()) }.Run(model.Model, rows);
        float[] At(int[] row, int t) => seen.Single(values => values.Length == row.Length * 8)[(t * 8)..((t + 1) * 8)];
        float[] ones = [.. Enumerable.Range(0, 8).Select(i => (At(rows[0], 1)[i] + At(rows[0], 4)[i] + At(rows[1], 1)[i] + At(rows[1], 2)[i]) / 4)];
        float[] mean = [.. Enumerable.Range(0, 8).Select(i => (ones[i] + At(rows[0], 2)[i] + At(rows[0], 3)[i]) / 3)];
        Assert.That(layer.Row(1).ToArray(), Is.EqualTo(ones.Zip(mean, (a, b) => a - b)).Within(1e-5));
    }
}
