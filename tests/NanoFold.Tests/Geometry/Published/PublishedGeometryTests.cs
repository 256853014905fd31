using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Topology;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Geometry.Published;

/// <summary>The stream of a small trained model, measured by DADApy, scikit-dimension, SciPy and ripser: the same rows give the same figures.</summary>
[Category("Published")]
public class PublishedGeometryTests
{
    private const string Folder = "peers/geometry";
    private const int Time = 64, Width = 128, Windows = 32, NearRows = 1000;

    private static string Path => SharedData.Path(Folder);

    private static IEnumerable<string> Points => Expected is { } expected ? expected.GetProperty("points").EnumerateObject().Select(p => p.Name) : [""];

    private static IEnumerable<TestCaseData> Pairs => Expected is { } expected
        ? expected.GetProperty("pairs").EnumerateArray().Select((p, i) => new TestCaseData(i).SetArgDisplayNames(p.GetProperty("a").GetString()!, p.GetProperty("b").GetString()!))
        : [new TestCaseData(0)];

    private static JsonElement? Expected => SharedData.Find(Folder) is { } folder
        ? JsonDocument.Parse(File.ReadAllText(System.IO.Path.Combine(folder, "expected.json"))).RootElement
        : null;

    [TestCaseSource(nameof(Points))]
    public void FiguresOfAPointAreThePublishedOnes(string point)
    {
        var agreement = new CaseAgreement("geometry", point);
        float[] all = Stream(point), near = Distinct(Later(all, NearRows));
        JsonElement expected = Expected!.Value.GetProperty("points").GetProperty(point);
        int n = near.Length / Width;
        NeighborGraph graph = NearestNeighbors.Search(near, n, Width, 64);
        Assert.That(n, Is.EqualTo(expected.GetProperty("n").GetInt32()));

        // DADApy's least squares end up to 2e-9 from the formula, which is "twonn.fit".
        Same(agreement, TwoNN.Fit(graph).Dimension, expected.GetProperty("twonn.base")[0], 5e-9, "DADApy's TwoNN");
        Same(agreement, TwoNN.Fit(graph).Dimension, expected.GetProperty("twonn.fit"), 1e-12, "TwoNN by its formula");
        Same(agreement, TwoNN.Fit(graph).Dimension, expected.GetProperty("skdim.TwoNN"), 1e-12, "scikit-dimension's TwoNN");
        Same(agreement, TwoNN.MaximumLikelihood(graph).Dimension, expected.GetProperty("twonn.ml")[0], 1e-9, "DADApy's TwoNN by maximum likelihood");
        Same(agreement, LevinaBickel.Estimate(graph, 20).Dimension, expected.GetProperty("mle20.harmonic"), 1e-12, "Levina-Bickel");
        IReadOnlyList<DimensionEstimate> scan = Gride.ScaleScan(graph);
        for (int i = 0; i < scan.Count; i++)
        {
            // DADApy stops its bisection at 1e-8.
            Same(agreement, scan[i].Dimension, expected.GetProperty("gride").GetProperty("ids")[i], 5e-8, "GRIDE");
            Same(agreement, scan[i].StandardError, expected.GetProperty("gride").GetProperty("errors")[i], 5e-8, "GRIDE's errors");
        }

        Same(agreement, CorrelationDimension.Estimate(graph, near, Width).Dimension, expected.GetProperty("correlation"), 1e-9, "correlation dimension");
        double[] shares = Coverage.MutualShares(graph, 16);
        foreach (JsonProperty share in expected.GetProperty("giantMutualKnn").EnumerateObject())
        {
            Same(agreement, shares[int.Parse(share.Name, null) - 1], share.Value, 1e-12, "giant components");
        }

        Geodesics geodesics = Geodesics.Measure(near, Width, graph, 10, 100);
        Same(agreement, geodesics.Ratio, expected.GetProperty("geodesicRatio10").GetProperty("mean"), 1e-9, "geodesics");
        Assert.That((geodesics.Components, geodesics.Pairs), Is.EqualTo((expected.GetProperty("geodesicRatio10").GetProperty("components").GetInt32(), expected.GetProperty("geodesicRatio10").GetProperty("pairs").GetInt64())));
        Rest(agreement, all, expected);
        agreement.Record();
    }

    [TestCaseSource(nameof(Pairs))]
    public void SimilaritiesOfTwoPointsAreThePublishedOnes(int pair)
    {
        _ = Path;
        JsonElement expected = Expected!.Value.GetProperty("pairs")[pair];
        var agreement = new CaseAgreement("geometry", $"{expected.GetProperty("a").GetString()} and {expected.GetProperty("b").GetString()}");
        (string a, string b) = (expected.GetProperty("a").GetString()!, expected.GetProperty("b").GetString()!);
        int n = expected.GetProperty("n").GetInt32();
        float[] x = Later(Stream(a), n), y = Later(Stream(b), n);
        CkaEstimate cka = LinearCka.Between(x, Width, y, Width, n);
        Same(agreement, cka.Unbiased, expected.GetProperty("ckaUnbiased"), 1e-9, "CKA");
        Same(agreement, cka.Biased, expected.GetProperty("ckaBiased"), 1e-9, "biased CKA");

        // Copies of a token are one and the same embedding: which of them is nearer is not said, so only rows that differ can be compared here.
        bool hasTies = a.EndsWith("resid_pre", StringComparison.Ordinal);
        double? rsa = RankCorrelation.Spearman(PairDistances.Of(x, n, Width).Values, PairDistances.Of(y, n, Width).Values);
        agreement.Near(rsa, expected.GetProperty("rsaSpearman").GetDouble(), hasTies ? 0.02 : 1e-9, hasTies ? "RSA of rows with ties" : "RSA");
        if (!hasTies)
        {
            double? overlap = NeighborhoodOverlap.Between(NearestNeighbors.Search(x, n, Width, 30), NearestNeighbors.Search(y, n, Width, 30), 30).Overlap;
            Same(agreement, overlap, expected.GetProperty("overlap30"), 1e-12, "overlap");
        }

        agreement.Record();
    }

    [Test]
    public void IntervalsAreThoseOfRipser()
    {
        _ = Path;
        JsonElement expected = Expected!.Value.GetProperty("persistence");
        float[] rows = Later(Stream("blocks.3.hook_resid_post"), NearRows);
        int[] landmarks = Landmarks.Farthest(rows, NearRows, Width, 60);
        Assert.That(landmarks, Is.EqualTo(Numbers(expected.GetProperty("landmarks")).Select(v => (int)v)));
        float[] chosen = [.. landmarks.SelectMany(row => rows[(row * Width)..((row + 1) * Width)])];
        AssertIntervals(RipsHomology.Of(PairDistances.Of(chosen, landmarks.Length, Width)), expected);

        float[] circle = [.. Enumerable.Range(0, 50).SelectMany(i => new[] { (float)Math.Cos(2 * Math.PI * i / 50), (float)Math.Sin(2 * Math.PI * i / 50) })];
        AssertIntervals(RipsHomology.Of(PairDistances.Of(circle, 50, 2)), expected.GetProperty("circle50"));
        var agreement = new CaseAgreement("geometry", "persistent homology");
        agreement.Same("landmarks; births and deaths to 1e-5, of the stream and of a circle");
        agreement.Record();
    }

    // Ripser computes in float32.
    private static void AssertIntervals(RipsHomology homology, JsonElement expected)
    {
        if (expected.TryGetProperty("h0Deaths", out JsonElement deaths))
        {
            Assert.That(homology.Joins, Is.EqualTo(Numbers(deaths).Order()).Within(1e-6).Percent.Or.EqualTo(Numbers(deaths).Order()).Within(1e-5));
        }

        double[][] loops = [.. expected.GetProperty("h1").EnumerateArray().Select(Numbers)];
        for (int i = 0; i < loops.Length; i++)
        {
            Assert.That(homology.Loops[i].Birth, Is.EqualTo(loops[i][0]).Within(1e-5));
            Assert.That(homology.Loops[i].Death, Is.EqualTo(loops[i][1]).Within(1e-5));
        }
    }

    private static void Rest(CaseAgreement agreement, float[] all, JsonElement expected)
    {
        float[] later = Later(all, Windows * (Time - 1));
        int n = later.Length / Width;
        JsonElement spectrum = expected.GetProperty("spectrum");
        var moments = new StreamingMoments(Width);
        moments.Add(later, n);
        SpectrumSummary summary = moments.Summarize();
        Assert.That(n, Is.EqualTo(spectrum.GetProperty("n").GetInt32()));
        Same(agreement, summary.ParticipationRatio, spectrum.GetProperty("participationRatio"), 1e-9, "participation ratio");
        Same(agreement, summary.ErankSv, spectrum.GetProperty("erankSv"), 1e-9, "effective rank of singular values");
        Same(agreement, summary.ErankEig, spectrum.GetProperty("erankEig"), 1e-9, "effective rank of eigenvalues");
        Same(agreement, summary.StableRank, spectrum.GetProperty("stableRank"), 1e-9, "stable rank");
        Same(agreement, summary.FirstShare, spectrum.GetProperty("firstShare"), 1e-9, "first share");
        Assert.That(moments.Eigenvalues().Take(8), Is.EqualTo(Numbers(spectrum.GetProperty("top8OfCovariance"))).Within(1e-8));
        PositionSplit<RowSummary> rows = RowStatistics.Rows(later, n, Width, 0);
        Same(agreement, rows.All.MeanCosine, expected.GetProperty("meanCosine"), 1e-6, "mean cosine");
        Same(agreement, rows.All.MeanNorm, expected.GetProperty("meanNorm"), 1e-6, "mean norm");
        Same(agreement, Curvature.Measure(all, Time, Width, 1).Degrees, expected.GetProperty("curvatureOverTokens"), 1e-6, "curvature");
    }

    private static void Same(CaseAgreement agreement, double? value, JsonElement expected, double relative, string name) =>
        agreement.NearRelatively(value, expected.GetDouble(), relative, name);

    private static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(v => v.GetDouble())];

    // [32, 64, 128].
    private static float[] Stream(string point)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(System.IO.Path.Combine(Path, "activations.safetensors"));
        var values = new float[Windows * Time * Width];
        file.Read(point, values.AsSpan());
        return values;
    }

    // Window by window, position 0 left out.
    private static float[] Later(float[] all, int rows) =>
        [.. Enumerable.Range(0, Windows * Time).Where(i => i % Time > 0).Take(rows).SelectMany(i => all[(i * Width)..((i + 1) * Width)])];

    private static float[] Distinct(float[] rows) => [.. DistinctRows.Find(rows, rows.Length / Width, Width).SelectMany(i => rows[(i * Width)..((i + 1) * Width)])];
}
