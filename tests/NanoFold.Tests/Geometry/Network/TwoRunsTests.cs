using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Tensors;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry.Network;

/// <summary>What changed between two checkpoints: weights, the stream of the same tokens, what is said of them.</summary>
public class TwoRunsTests : EngineTests
{
    [Test]
    public void ARandomMatrixNeedsAsManyDirectionsAsItsDensitySays()
    {
        foreach ((int m, int n) in new[] { (64, 64), (64, 256), (300, 40) })
        {
            float[] values = Gaussian(m, n, 3);
            int least = Math.Min(m, n), k = MatrixSpectrum.CountFor(MatrixSpectrum.Squares(values, m, n), 0.9);
            Assert.That(least * RandomSpectra.CountShare((double)least / Math.Max(m, n), 0.9), Is.EqualTo(k).Within(1.5), $"{m} × {n}");
        }

        Assert.That(RandomSpectra.CountShare(1e-9, 0.9), Is.EqualTo(0.9).Within(1e-3), "all are alike");
        Assert.That(MatrixSpectrum.CountFor([4, 3, 2, 1], 0.9), Is.EqualTo(3));
        Assert.That(MatrixSpectrum.CountFor([0, 0], 0.9), Is.Zero);
        Assert.That(MatrixSpectrum.CountFor([1, 1, 1], 1), Is.EqualTo(3));
    }

    [Test]
    public void ARandomSubspaceHoldsItsShare()
    {
        // One direction alone: the share is Beta(k/2, (D − k)/2).
        (double mean, double deviation) = RandomSpectra.SubspaceShare(4, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Assert.That(mean, Is.EqualTo(0.4));
        Assert.That(deviation, Is.EqualTo(Math.Sqrt(2.0 * 3 / (25 * 6))).Within(1e-12));
        Assert.That(RandomSpectra.SubspaceShare(4, [1, 1, 1, 1, 1]).Deviation, Is.Zero.Within(1e-12));
    }

    [Test]
    public void ShiftsInAFewDirectionsAreFoundAndThoseOfNoiseAreNot()
    {
        const int N = 400, D = 24;
        // Three directions of equal variance, a little noise in all others.
        float[] low = Gaussian(N, D, 5);
        for (int i = 0; i < low.Length; i++)
        {
            low[i] *= i % D < 3 ? 1 : 0.01f;
        }

        ShiftSpectrum few = ShiftSpectrum.Of(low, N, D);
        Assert.That(few.K90, Is.EqualTo(3));
        Assert.That(few.K90Error, Is.Zero);
        Assert.That(few.HeldOutShare, Is.GreaterThan(0.99));
        Assert.That(few.RandomShare.Mean, Is.EqualTo(3.0 / D));
        Assert.That(few.Summary!.ParticipationRatio, Is.EqualTo(3).Within(0.1));
        ShiftSpectrum noise = ShiftSpectrum.Of(Gaussian(N, D, 6), N, D);
        Assert.That(noise.K90, Is.InRange(18, 21));
        Assert.That(noise.HeldOutShare, Is.EqualTo(noise.RandomShare.Mean).Within(0.03), "what one half holds most of is chance");
        Assert.That(ShiftSpectrum.Of(new float[N * D], N, D).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(ShiftSpectrum.Of(low.AsSpan(0, 5 * D), 5, D).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
    }

    [Test]
    public void AChangeOfRankOneIsSeenAsThat()
    {
        using TinyModel first = new(ModelVariants.Base, Backend()), second = new(ModelVariants.Base, Backend());
        Parameter changed = second.Store.Parameters.First(p => p.Name.EndsWith("q_proj.weight", StringComparison.Ordinal));
        double[] values = Host.Read(second.Store, changed);
        int columns = changed.Layout[-1];
        Host.Write(second.Store, changed, [.. values.Select((v, i) => v + (0.5 * (1 + (i / columns)) * (i % columns == 2 ? 1 : 0)))]);
        using NetworkSamples a = NetworkSamples.Of(first.Model), b = NetworkSamples.Of(second.Model);
        CheckpointSample before = Sample(a, "step-1"), now = Sample(b, "step-2");
        Dictionary<FigurePlace, FigureWriter> measured = NetworkSamples.Take(figures => new WeightChangeMeasure().Take(before, now, figures));
        double? Of(string name, string figure) => measured[measured.Keys.Single(p => p.Point == name)].Figures.Single(f => f.Name == figure).Value;
        double size = 0.5 * Math.Sqrt(Enumerable.Range(1, changed.Layout[0]).Sum(i => i * i));
        Assert.That(Of(changed.Name, "changeLargest"), Is.EqualTo(size).Within(1e-4).Percent);
        Assert.That(Of(changed.Name, "relativeChange"), Is.EqualTo(size / Math.Sqrt(values.Sum(v => v * v))).Within(1e-4).Percent);
        Assert.That(Of(changed.Name, "changeK90"), Is.EqualTo(1));
        Assert.That(Of(changed.Name, "changeParticipationRatio"), Is.EqualTo(1).Within(1e-6));
        Assert.That(Of(changed.Name, "gaussianK90"), Is.GreaterThan(5));
        string other = second.Store.Parameters.First(p => p.Layout.Rank > 1 && p != changed).Name;
        Assert.That(Of(other, "relativeChange"), Is.Zero);
        Assert.That(measured[measured.Keys.Single(p => p.Point == other)].Figures.Single(f => f.Name == "changeK90").Status, Is.EqualTo(GeometryStatus.ZeroVariance));
    }

    [Test]
    public void WhatIsSaidIsComparedBothWays()
    {
        using TinyModel first = new(ModelVariants.Base, Backend()), second = new(ModelVariants.Base, Backend());
        // A head of zeros says the same of everything.
        Parameter head = second.Store.Parameters.Single(p => p.Role == ParameterRole.Head);
        Host.Write(second.Store, head, new double[head.Layout.Count]);
        using NetworkSamples a = NetworkSamples.Of(first.Model), b = NetworkSamples.Of(second.Model);
        double? Of(CheckpointSample x, CheckpointSample y, string figure) =>
            NetworkSamples.Take(figures => new OutputShiftMeasure().Take(x, y, figures)).Values.Single().Figures.Single(f => f.Name == figure).Value;
        CheckpointSample before = Sample(a, "one"), now = Sample(b, "two");
        double vocab = first.Model.Config.Vocab;
        Assert.That(Of(before, before, "klFirstToSecond"), Is.Zero);
        Assert.That(Of(before, before, "topAgreement"), Is.EqualTo(1));
        Assert.That(Of(before, now, "secondLoss"), Is.EqualTo(Math.Log(vocab)).Within(1e-6));
        // KL(p‖uniform) = ln V − H(p).
        double? entropy = NetworkSamples.Take(figures => new LogitLensMeasure().Take(a.Sample, figures)).Last().Value.Figures.Single(f => f.Name == "lensEntropy").Value;
        Assert.That(Of(before, now, "klFirstToSecond"), Is.EqualTo(Math.Log(vocab) - entropy).Within(1e-6));
        Assert.That(Of(now, before, "klSecondToFirst"), Is.EqualTo(Math.Log(vocab) - entropy).Within(1e-6));
    }

    [Test]
    public void AStreamThatMovedByOneVectorMovedInCommon()
    {
        SampledRows rows = SampledRows.Points(ProbeShape.Of(60, 60, 6) with { Batch = 10, Points = 60 }, 1).Later(50, 6);
        float[] values = Gaussian(50, 8, 2), moved = [.. values.Select((v, i) => v + (i % 8 == 0 ? 3 : 0))];
        CheckpointSample With(float[] stream) => new(new Lazy<NetworkSample>(() => throw new InvalidOperationException())) { Name = "a", Step = 1, Streams = [new PointCloud("blocks.0.hook_resid_pre", rows, stream)] };
        FigureWriter figures = NetworkSamples.Take(writer => new HiddenShiftMeasure().Take(With(values), With(moved), writer)).Values.Single();
        Assert.That(figures.Figures.Single(f => f.Name == "commonShare").Value, Is.EqualTo(1).Within(1e-5));
        Assert.That(figures.Figures.Single(f => f.Name == "shift").Value, Is.EqualTo(values.Chunk(8).Average(row => 3 / Math.Sqrt(row.Sum(v => (double)v * v)))).Within(1e-4).Percent);
        Assert.That(figures.Figures.Single(f => f.Name == "shift").Points, Is.EqualTo(50));
    }

    private static float[] Gaussian(int n, int d, ulong seed)
    {
        var values = new float[n * d];
        new GaussianSource(seed).FillNormal(values);
        return values;
    }

    private static CheckpointSample Sample(NetworkSamples samples, string name) => new(new Lazy<NetworkSample>(samples.Sample)) { Name = name, Step = 1, Streams = [] };
}
