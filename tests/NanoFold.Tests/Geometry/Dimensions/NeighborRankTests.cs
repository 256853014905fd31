using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Dimensions;

/// <summary>GRIDE and Levina–Bickel against their definitions.</summary>
public class NeighborRankTests
{
    [Test]
    public void GrideSolvesItsEquation()
    {
        const int N = 300;
        const int N1 = 4;
        const int N2 = 8;
        NeighborGraph graph = NearestNeighbors.Search(Clouds.Cube(N, 3, 1), N, 3, N2);
        DimensionEstimate estimate = Gride.Estimate(graph, N2);
        double d = estimate.Dimension!.Value;
        double sum = 0;
        double information = N / (d * d);
        for (int i = 0; i < N; i++)
        {
            double mu = graph.Distances(i)[N2 - 1] / graph.Distances(i)[N1 - 1];
            double tail = Math.Pow(mu, -d);
            sum += (((1.0 - N2 + N1) / (1 - tail)) + N2 - 1) * Math.Log(mu);
            information += (N2 - N1 - 1) * Math.Pow(Math.Log(mu) / (1 - tail), 2) * tail;
        }

        Assert.That((N - 1) / d, Is.EqualTo(sum).Within(1e-8));
        Assert.That(estimate.StandardError, Is.EqualTo(1 / Math.Sqrt(information)).Within(1e-8));
    }

    [Test]
    public void GrideAtRankTwoIsTwoNNsLikelihood()
    {
        NeighborGraph graph = NearestNeighbors.Search(Clouds.Gauss(500, 4, 2), 500, 4, 2);
        DimensionEstimate likelihood = TwoNN.MaximumLikelihood(graph);
        DimensionEstimate gride = Gride.Estimate(graph, 2);
        Assert.That(gride.Dimension, Is.EqualTo(likelihood.Dimension).Within(1e-9));
        Assert.That(gride.StandardError, Is.EqualTo(likelihood.StandardError).Within(1e-9));
    }

    [Test]
    public void GrideStandardErrorIsTheSpreadOverDraws()
    {
        const int Draws = 12;
        double[] values = new double[Draws];
        double error = 0;
        for (int i = 0; i < Draws; i++)
        {
            NeighborGraph graph = NearestNeighbors.Search(Clouds.Cube(500, 2, (ulong)i + 1), 500, 2, 2);
            DimensionEstimate estimate = Gride.Estimate(graph, 2);
            values[i] = estimate.Dimension!.Value;
            error += estimate.StandardError!.Value / Draws;
        }

        double mean = values.Average();
        double spread = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (Draws - 1));
        Assert.That(error, Is.EqualTo(spread).Within(50).Percent);
    }

    [Test]
    public void LevinaBickelIsTheHarmonicMeanOfLocalEstimates()
    {
        const int N = 200;
        const int K = 6;
        NeighborGraph graph = NearestNeighbors.Search(Clouds.Gauss(N, 3, 3), N, 3, 10);
        double inverse = 0;
        for (int i = 0; i < N; i++)
        {
            ReadOnlySpan<double> r = graph.Distances(i);
            double sum = 0;
            for (int j = 0; j < K - 1; j++)
            {
                sum += Math.Log(r[K - 1] / r[j]);
            }

            inverse += sum / (K - 1) / N;
        }

        DimensionEstimate estimate = LevinaBickel.Estimate(graph, K);
        Assert.That(estimate.Dimension, Is.EqualTo(1 / inverse).Within(1e-9));
        Assert.That(estimate.StandardError, Is.EqualTo(1 / inverse / Math.Sqrt(N * (K - 1))).Within(1e-9));
    }

    [Test]
    public void EqualDistancesAreDegenerate()
    {
        // The corners of a simplex: every distance is √2.
        float[] x = new float[36];
        for (int i = 0; i < 6; i++)
        {
            x[(i * 6) + i] = 1;
        }

        NeighborGraph graph = NearestNeighbors.Search(x, 6, 6, 5);
        Assert.That(Gride.Estimate(graph, 4).Status, Is.EqualTo(GeometryStatus.Degenerate));
        Assert.That(LevinaBickel.Estimate(graph, 4).Status, Is.EqualTo(GeometryStatus.Degenerate));
        Assert.That(TwoNN.Fit(graph).Status, Is.EqualTo(GeometryStatus.Degenerate));
    }

    [Test]
    public void SettingsAreCheckedAndNamed()
    {
        Assert.That(() => DimensionMethod.Gride(3), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => DimensionMethod.LevinaBickel(1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(DimensionMethod.Gride(16).Label, Is.EqualTo("gride 8-16"));
        Assert.That(DimensionMethod.TwoNNFit().Label, Is.EqualTo("twonn f=0.1"));
    }
}
