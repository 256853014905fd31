using System.Globalization;
using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Geometry;

/// <summary>What the recorder writes of a model whose streams, patterns, gates and loads are known: every number of geometry.jsonl.</summary>
public class RecordedValuesTests
{
    [TestCase(false)]
    [TestCase(true)]
    public void EveryNumberIsThatOfTheKnownModel(bool maskDocuments)
    {
        using var backend = new CpuBackend(1);
        using var model = new HandMadeModel(backend);
        Dictionary<string, double?> expected = [];
        IReadOnlyList<HandMadeLayer> layers = model.Run(maskDocuments);
        for (int layer = 0; layer < layers.Count; layer++)
        {
            Expect(expected, layer, layers[layer]);
        }

        AssertSame(Record(model, maskDocuments, Measure.Defaults), expected);
    }

    [Test]
    public void EveryNumberOfTheOtherMeasuresToo()
    {
        using var backend = new CpuBackend(1);
        using var model = new HandMadeModel(backend);
        Measure[] measures =
        [
            new AttentionHeadMeasure(), new GrideMeasure { MostRank = 4 }, new LevinaBickelMeasure { K = 5 }, new DecimationMeasure { LeastPoints = 5 },
            new TokenCurvatureMeasure(), new LayerCurvatureMeasure(), new CkaMeasure(), new OverlapMeasure { K = 3 }, new WeightNormMeasure { Rounds = 200 }, new WeightSpectrumMeasure(),
        ];
        AssertSame(Record(model, false, measures), OtherFigures.Of(model));
    }

    [Test]
    public void TheStreamIsComparedWithWhatItWas()
    {
        using var backend = new CpuBackend(1);
        using var model = new HandMadeModel(backend);
        IReadOnlyList<HandMadeLayer> before = model.Run();
        using GeometryRecorder recorder = Recorder(model, false, [new DriftMeasure()], null);
        recorder.Measure(3, 0.1, isLast: false);
        Assert.That(recorder.Latest, Is.Empty, "the first time there is nothing before");
        model.Move();
        IReadOnlyList<HandMadeLayer> after = model.Run();
        recorder.Measure(10, 0.1, isLast: false);
        for (int layer = 0; layer < 2; layer++)
        {
            Measured measured = recorder.Latest.Single(m => m.Place == new FigurePlace("step", $"blocks.{layer}.hook_resid_post", layer));
            (double[] X, double[] Moved)[] rows =
            [
                .. before[layer].After.Zip(after[layer].After, (x, y) => (x, x.Zip(y, (u, v) => v - u).ToArray())).Where((_, i) => i % HandMadeModel.Time > 0),
            ];
            Assert.That(measured.Figures[0].Value, Is.EqualTo(rows.Average(r => Norm(r.Moved) / Norm(r.X))).Within(1e-5));
            Assert.That(measured.Figures[1].Value, Is.EqualTo(rows.Average(r => Cosine(r.X, r.Moved))).Within(1e-5));
            Assert.That(measured.Figures[2].Value, Is.EqualTo(7));
        }
    }

    [Test]
    public void FiguresOfASampleAreOfItsTokens()
    {
        using var backend = new CpuBackend(1);
        using var model = new HandMadeModel(backend);
        ProbeShape shape = Shape() with { Points = 7, Neighbors = 4, Queries = 5 };
        HandMadeLayer layer = model.Run()[1];
        Dictionary<string, double?> written = Record(model, false, [new NormMeasure(), new AttentionMeasure()], shape);
        Assert.That(written["1 norms norm"], Is.EqualTo(SampledRows.Points(shape, 1).Rows.ToArray().Average(row => Norm(layer.After[row]))).Within(1e-5));
        int[] queries = SampledRows.Queries(shape, 1).Rows.ToArray();
        Assert.That(written["1 attention firstTokenMass"], Is.EqualTo(queries.Average(row => layer.Pattern[row].Average(weights => weights[0]))).Within(1e-6));
    }

    [Test]
    public void LinesSayWhatTheyAreOf()
    {
        using var backend = new CpuBackend(1);
        using var model = new HandMadeModel(backend);
        using var folder = new TemporaryFolder();
        JsonElement line = Lines(model, false, folder["geometry.jsonl"], Measure.Defaults).First(l => l.GetProperty("measure").GetString() == "twonn");
        Assert.That(line.EnumerateObject().Select(p => p.Name), Is.EqualTo(new[] { "version", "step", "measure", "scope", "point", "layer", "figures" }));
        Assert.That((line.GetProperty("version").GetInt32(), line.GetProperty("step").GetInt64()), Is.EqualTo((2, 3L)));
        Assert.That((line.GetProperty("scope").GetString(), line.GetProperty("point").GetString(), line.GetProperty("layer").GetInt32()), Is.EqualTo(("point", "blocks.0.hook_resid_post", 0)));
        JsonElement dimension = line.GetProperty("figures").GetProperty("dimension");
        Assert.That(dimension.GetProperty("points").GetInt32(), Is.EqualTo(10));
        Assert.That(dimension.GetProperty("estimator").GetString(), Is.EqualTo("twonn f=0.1, position 0 out, 0 duplicates dropped, 0.9 kept"));
    }

    private static void AssertSame(Dictionary<string, double?> written, Dictionary<string, double?> expected)
    {
        Assert.That(written.Keys, Is.EquivalentTo(expected.Keys));
        Assert.Multiple(() =>
        {
            foreach ((string name, double? value) in expected)
            {
                Assert.That(written[name], Is.EqualTo(value).Within(2e-4).Percent.Or.EqualTo(value).Within(2e-6), name);
            }
        });
    }

    // By layer (or parameter, or model), measure, head and figure.
    private static Dictionary<string, double?> Record(HandMadeModel model, bool maskDocuments, IReadOnlyList<Measure> measures, ProbeShape? shape = null)
    {
        using var folder = new TemporaryFolder();
        return Lines(model, maskDocuments, folder["geometry.jsonl"], measures, shape).SelectMany(line => line.GetProperty("figures").EnumerateObject().Select(figure => (
            Name: $"{PlaceOf(line)} {line.GetProperty("measure").GetString()} {figure.Name}",
            Value: figure.Value.GetProperty("value").ValueKind == JsonValueKind.Null ? null : (double?)figure.Value.GetProperty("value").GetDouble())))
            .ToDictionary(f => f.Name, f => f.Value);
    }

    private static string PlaceOf(JsonElement line) => line.GetProperty("scope").GetString() switch
    {
        "weights" or "model" => line.GetProperty("point").GetString()!,
        "head" => $"{line.GetProperty("layer").GetInt32()}.{line.GetProperty("head").GetInt32()}",
        "pair" => $"{line.GetProperty("point").GetString()} {line.GetProperty("other").GetString()}",
        _ => $"{line.GetProperty("layer").GetInt32()}",
    };

    private static IReadOnlyList<JsonElement> Lines(HandMadeModel model, bool maskDocuments, string path, IReadOnlyList<Measure> measures, ProbeShape? shape = null)
    {
        using (JsonLinesLog log = JsonLinesLog.Open(path))
        using (GeometryRecorder recorder = Recorder(model, maskDocuments, measures, log, shape))
        {
            recorder.Measure(3, 0.1, isLast: false);
        }

        return JsonLinesLog.Read(path);
    }

    private static GeometryRecorder Recorder(HandMadeModel model, bool maskDocuments, IReadOnlyList<Measure> measures, JsonLinesLog? log, ProbeShape? shape = null)
    {
        var probe = new GeometryProbe(model.Model, new RandomTokens(model.Model.Config.Vocab, 1, maskDocuments), shape ?? Shape(), measures);
        probe.Read(model.Tokens, model.Documents);
        return new GeometryRecorder(probe, new GeometryConfig { Every = 1 }, 12, log);
    }

    // All tokens.
    private static ProbeShape Shape() =>
        ProbeShape.Of(12, 12, HandMadeModel.Time) with { Batch = HandMadeModel.Batch, Points = 12, Neighbors = 12, Queries = 12, Runs = 2 };

    private static void Expect(Dictionary<string, double?> expected, int layer, HandMadeLayer values)
    {
        bool[] later = [.. Enumerable.Range(0, values.After.Length).Select(i => i % HandMadeModel.Time > 0)];
        void Add(string measure, string name, double? value) => expected.Add(string.Create(CultureInfo.InvariantCulture, $"{layer} {measure} {name}"), value);

        double[] norms = [.. values.After.Select(Norm)];
        Add("norms", "norm", norms.Average());
        Add("norms", "normWithoutFirst", Where(norms, later).Average());
        Add("norms", "largestNorm", norms.Max());

        foreach ((string name, double[][] x, double[][] delta) in new[] { ("mixer", values.Before, values.Mixed), ("feedForward", values.Middle, values.Fed) })
        {
            double[] shares = [.. x.Zip(delta, (a, d) => Norm(d) / Norm(a))];
            Add("updates", name + "Share", shares.Average());
            Add("updates", name + "ShareWithoutFirst", Where(shares, later).Average());
            Add("updates", name + "Cosine", x.Zip(delta, Cosine).Average());
            Add("updates", name + "NormGrowth", x.Zip(delta, (a, d) => Norm([.. a.Zip(d, (u, v) => u + v)]) / Norm(a)).Average());
        }

        double[][] points = Where(values.After, later);
        Add("cosines", "meanCosine", MeanCosine(values.After));
        Add("cosines", "meanCosineWithoutFirst", MeanCosine(points));
        ExpectSpectrum(Add, points);
        ExpectDimension(Add, points);
        ExpectAttention(Add, values.Pattern, later);

        double[] gates = [.. values.Gates.SelectMany(row => row)];
        Add("gates", "gateMean", gates.Average());
        Add("gates", "gateClosedShare", gates.Count(g => g < 0.1) / (double)gates.Length);

        Add("experts", "expertLoadEntropyShare", -values.Load.Where(s => s > 0).Sum(s => s * Math.Log(s)) / Math.Log(HandMadeModel.Experts));
        Add("experts", "expertLargestOverMean", values.Load.Max() * HandMadeModel.Experts);
        Add("experts", "expertsIdle", values.Load.Count(s => s == 0));
        for (int e = 0; e < HandMadeModel.Experts; e++)
        {
            Add("experts", $"expertLoad.{e}", values.Load[e]);
        }
    }

    private static void ExpectSpectrum(Action<string, string, double?> add, double[][] points)
    {
        int d = HandMadeModel.Width;
        double[] mean = [.. Enumerable.Range(0, d).Select(c => points.Average(p => p[c]))];
        double[] covariance = [.. Enumerable.Range(0, d * d).Select(i => points.Sum(p => (p[i / d] - mean[i / d]) * (p[i % d] - mean[i % d])) / (points.Length - 1))];
        double[] eigenvalues = [.. SymmetricEigenvalues.Of(covariance, d).Select(v => Math.Max(v, 0))];
        double sum = eigenvalues.Sum(), roots = eigenvalues.Sum(Math.Sqrt);
        double participation = sum * sum / eigenvalues.Sum(v => v * v);
        add("spectrum", "totalVariance", Enumerable.Range(0, d).Sum(c => covariance[c * (d + 1)]));
        add("spectrum", "participationRatio", participation);
        add("spectrum", "erankSv", Math.Exp(-eigenvalues.Where(v => v > 0).Sum(v => Math.Sqrt(v) / roots * Math.Log(Math.Sqrt(v) / roots))));
        add("spectrum", "erankEig", Math.Exp(-eigenvalues.Where(v => v > 0).Sum(v => v / sum * Math.Log(v / sum))));
        add("spectrum", "firstEigenvalueShare", eigenvalues[0] / sum);
        add("spectrum", "stableRank", sum / eigenvalues[0]);
        add("spectrum", "isoScore", (participation - 1) / (d - 1));
    }

    private static void ExpectDimension(Action<string, string, double?> add, double[][] points)
    {
        double[] logs =
        [
            .. points.Select(p => points.Where(q => q != p).Select(q => Norm([.. p.Zip(q, (u, v) => u - v)])).Order().Take(2).ToArray()).Select(r => Math.Log(r[1] / r[0])).Order(),
        ];
        int n = logs.Length, used = (int)((0.9 * n) + 1e-9);
        double xy = 0, xx = 0;
        for (int i = 0; i < used; i++)
        {
            xy += logs[i] * -Math.Log(1 - ((i + 1.0) / n));
            xx += logs[i] * logs[i];
        }

        add("twonn", "dimension", xy / xx);
        CalibrationCurve curve = GaussianCalibration.Curve(DimensionMethod.TwoNNFit(), n, HandMadeModel.Width);
        add("twonn", "gaussianDimension", curve.Invert(xy / xx).Dimension);
    }

    private static void ExpectAttention(Action<string, string, double?> add, double[][][] pattern, bool[] later)
    {
        double Entropy(double[] row) => -row.Where(w => w > 0).Sum(w => w * Math.Log(w));
        (double[] Row, int Keys)[] rows = [.. pattern.SelectMany((heads, i) => heads.Select(row => (row, (i % HandMadeModel.Time) + 1)))];
        (double[] Row, int Keys)[] after = [.. rows.Where(r => r.Keys > 1)];
        add("attention", "attentionEntropy", rows.Average(r => Entropy(r.Row)));
        add("attention", "attentionEntropyShare", after.Average(r => Entropy(r.Row) / Math.Log(r.Keys)));
        add("attention", "firstTokenMass", rows.Average(r => r.Row[0]));
        add("attention", "firstTokenMassWithoutFirst", after.Average(r => r.Row[0]));
        double[] sinks = [.. Enumerable.Range(0, HandMadeModel.Heads).Select(h => Where(pattern, later).Average(heads => heads[h][0]))];
        add("attention", "sinkHeadShare", sinks.Count(s => s > 0.3) / (double)sinks.Length);
    }

    private static double MeanCosine(double[][] rows)
    {
        double sum = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            sum += rows.Where((_, j) => j != i).Sum(other => Cosine(rows[i], other));
        }

        return sum / (rows.Length * (rows.Length - 1));
    }

    private static T[] Where<T>(T[] rows, bool[] mask) => [.. rows.Where((_, i) => mask[i])];

    internal static double Norm(double[] x) => Math.Sqrt(x.Sum(v => v * v));

    internal static double Cosine(double[] a, double[] b) => a.Zip(b, (u, v) => u * v).Sum() / Norm(a) / Norm(b);
}
