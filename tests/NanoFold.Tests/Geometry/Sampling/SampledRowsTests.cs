using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Tests.Geometry.Sampling;

public class SampledRowsTests
{
    [TestCase(2048, 64, 32, 2048, 2048)]
    [TestCase(2048, 1024, 4, 2048, 256)]
    [TestCase(2048, 2048, 4, 2048, 128)]
    [TestCase(2048, 8192, 1, 2048, 64)]
    [TestCase(2048, 65536, 1, 2048, 64)]
    public void ShapesOfContexts(int points, int context, int batch, int sampled, int queries)
    {
        ProbeShape shape = ProbeShape.Of(points, 1000, context);
        Assert.That((shape.Time, shape.Batch, shape.Points, shape.Queries, shape.Neighbors), Is.EqualTo((context, batch, sampled, queries, 1000)));
    }

    [Test]
    public void AShortTextHasFewerWindows()
    {
        ProbeShape shape = ProbeShape.Of(2048, 1000, 64, places: 199);
        Assert.That((shape.Time, shape.Batch, shape.Points, shape.Neighbors), Is.EqualTo((64, 3, 192, 192)));
        shape = ProbeShape.Of(2048, 1000, 64, places: 9);
        Assert.That((shape.Time, shape.Batch, shape.Points), Is.EqualTo((9, 1, 9)));
    }

    [Test]
    public void AllTokensAreTakenOnceWherePossible()
    {
        ProbeShape shape = ProbeShape.Of(128, 50, 16);
        SampledRows rows = SampledRows.Points(shape, 3);
        Assert.That(rows.Rows.ToArray(), Is.EquivalentTo(Enumerable.Range(0, 128)));
        Assert.That(rows.First, Is.EqualTo(8));
        Assert.That(rows.Positions.Take(8), Is.All.Zero);
        Assert.That(rows.Positions.Skip(8), Has.None.Zero);
    }

    [Test]
    public void OneTokenOfEachStretchIsTaken()
    {
        ProbeShape shape = ProbeShape.Of(256, 100, 1024) with { Batch = 4, Points = 256 };
        SampledRows rows = SampledRows.Points(shape, 3);
        Assert.That(rows.Rows.ToArray().Select(row => row / 16), Is.EquivalentTo(Enumerable.Range(0, 256)));
        Assert.That(rows.Rows.ToArray(), Is.EqualTo(SampledRows.Points(shape, 3).Rows.ToArray()));
        Assert.That(rows.Rows.ToArray(), Is.Not.EqualTo(SampledRows.Points(shape, 4).Rows.ToArray()));
        // Positions are not all multiples of the stride: every remainder comes up.
        Assert.That(rows.Rows.ToArray().Select(row => row % 16).Distinct().Count(), Is.EqualTo(16));
    }

    [Test]
    public void EveryBeginningIsSpreadOverWindowsAndPositions()
    {
        ProbeShape shape = ProbeShape.Of(2048, 1000, 512);
        SampledRows rows = SampledRows.Points(shape, 1);
        foreach (int count in new[] { 64, 250, 1000 })
        {
            int[] some = rows.Later(count, shape.Time).Positions;
            int[] windows = rows.Rows.Slice(rows.First, count).ToArray().Select(row => row / shape.Time).ToArray();
            Assert.That(some, Has.Length.EqualTo(count).And.None.Zero);
            for (int window = 0; window < shape.Batch; window++)
            {
                Assert.That(windows.Count(w => w == window), Is.InRange(0.8 * count / shape.Batch, 1.2 * count / shape.Batch), $"window {window} of the first {count}");
            }

            Assert.That(some.Average(), Is.EqualTo(shape.Time / 2.0).Within(12).Percent, $"positions of the first {count}");
        }
    }

    [Test]
    public void RunsAreSuccessiveTokensOfOneWindow()
    {
        ProbeShape shape = ProbeShape.Of(256, 100, 128);
        SampledRows runs = SampledRows.Runs(shape, 1);
        Assert.That((runs.RunLength, runs.Count), Is.EqualTo((32, shape.Runs * 32)));
        foreach (int[] run in runs.Rows.ToArray().Chunk(32))
        {
            Assert.That(run, Is.EqualTo(Enumerable.Range(run[0], 32)));
            Assert.That(run[0] / 128, Is.EqualTo(run[^1] / 128));
            Assert.That(run[0] % 128, Is.Positive);
        }
    }

    [Test]
    public void TokensAndDocumentsComeInTheOrderOfTheRows()
    {
        ProbeShape shape = ProbeShape.Of(32, 10, 16);
        SampledRows rows = SampledRows.Points(shape, 1);
        int[] tokens = [.. Enumerable.Range(0, shape.Tokens).Select(i => i * 3)], documents = [.. Enumerable.Range(0, shape.Tokens).Select(i => i / 5)];
        rows.Read(tokens, documents);
        SampledRows later = rows.Later(10, 16);
        for (int i = 0; i < 10; i++)
        {
            int row = later.Rows[i];
            Assert.That((later.Tokens[i], later.Documents[i], later.Positions[i]), Is.EqualTo((row * 3, row / 5, row % 16)));
        }
    }
}
