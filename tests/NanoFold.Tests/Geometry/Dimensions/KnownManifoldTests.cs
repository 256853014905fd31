using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Dimensions;

/// <summary>Three estimators on clouds of known dimension; expected figures were computed elsewhere with numpy.</summary>
public class KnownManifoldTests
{
    private const int Points = 2500;
    private const int Seeds = 3;

    private static readonly DimensionMethod[] s_methods =
        [DimensionMethod.TwoNNFit(0.1), DimensionMethod.Gride(16), DimensionMethod.LevinaBickel(20)];

    // Name, then expected figure and standard deviation of one draw for each method.
    private static readonly object[] s_cases =
    [
        new object[] { "cube 2", 1.96, .05, 1.96, .02, 1.97, .01 },
        new object[] { "cube 5", 4.68, .14, 4.48, .05, 4.50, .03 },
        new object[] { "cube 10", 8.61, .07, 8.06, .05, 8.11, .03 },
        new object[] { "sphere 5", 4.96, .10, 4.87, .06, 4.88, .05 },
        new object[] { "sphere 10", 9.45, .19, 8.94, .10, 9.00, .08 },
        new object[] { "gauss 10", 9.77, .20, 9.10, .10, 9.19, .08 },
        new object[] { "swiss roll", 1.97, .04, 1.95, .02, 1.96, .01 },
        new object[] { "moebius", 1.98, .05, 1.97, .02, 1.97, .01 },
        new object[] { "helix", 1.01, .03, 1.00, .02, 1.00, .01 },
    ];

    [TestCaseSource(nameof(s_cases))]
    public void MeanOverSeedsAgrees(
        string name, double twoNN, double twoNNSd, double gride, double grideSd, double mle, double mleSd)
    {
        double[] sums = new double[s_methods.Length];
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            (float[] points, int d) = Draw(name, seed);
            NeighborGraph graph = NearestNeighbors.Search(points, Points, d, 20);
            for (int m = 0; m < s_methods.Length; m++)
            {
                DimensionEstimate estimate = s_methods[m].Estimate(graph);
                Assert.That(estimate.Status, Is.EqualTo(GeometryStatus.Ok));
                Assert.That(estimate.Points, Is.EqualTo(Points));
                sums[m] += estimate.Dimension!.Value;
            }
        }

        TestContext.Out.WriteLine(string.Join(" | ", sums.Select(s => $"{s / Seeds:F3}")));
        Assert.Multiple(() =>
        {
            Assert.That(sums[0] / Seeds, Is.EqualTo(twoNN).Within(2 * twoNNSd), "TwoNN");
            Assert.That(sums[1] / Seeds, Is.EqualTo(gride).Within(2 * grideSd), "GRIDE 8-16");
            Assert.That(sums[2] / Seeds, Is.EqualTo(mle).Within(2 * mleSd), "Levina-Bickel 20");
        });
    }

    private static (float[] Points, int D) Draw(string name, ulong seed) => name switch
    {
        "cube 2" => (Clouds.Cube(Points, 2, seed), 2),
        "cube 5" => (Clouds.Cube(Points, 5, seed), 5),
        "cube 10" => (Clouds.Cube(Points, 10, seed), 10),
        "sphere 5" => (Clouds.Sphere(Points, 5, seed), 6),
        "sphere 10" => (Clouds.Sphere(Points, 10, seed), 11),
        "gauss 10" => (Clouds.Gauss(Points, 10, seed), 10),
        "swiss roll" => (Clouds.SwissRoll(Points, seed), 3),
        "moebius" => (Clouds.Moebius(Points, seed), 3),
        _ => (Clouds.Helix(Points, seed), 3),
    };
}
