using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Geometry.Published;

/// <summary>The way from weights through points to figures: a trained model whose figures other software has computed.</summary>
[Category("Published")]
public class PublishedModelTests
{
    private const int Time = 64, Windows = 32;

    private static readonly string[] s_points = ["hook_resid_pre", "hook_resid_mid", "hook_resid_post"];

    [Test]
    public void FiguresFromTheWeightsOnAreThePublishedOnes()
    {
        var agreement = new CaseAgreement("geometry", "from the weights on");
        string folder = SharedData.Path("peers/geometry");
        JsonElement expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json"))).RootElement;
        IReadOnlyList<Measured> measured = Measure(folder);
        foreach (JsonProperty point in expected.GetProperty("points").EnumerateObject())
        {
            Same(agreement, measured, "spectrum", point.Name, "participationRatio", point.Value.GetProperty("spectrum").GetProperty("participationRatio"));
            Same(agreement, measured, "spectrum", point.Name, "erankSv", point.Value.GetProperty("spectrum").GetProperty("erankSv"));
            Same(agreement, measured, "spectrum", point.Name, "stableRank", point.Value.GetProperty("spectrum").GetProperty("stableRank"));
            Same(agreement, measured, "norms", point.Name, "normWithoutFirst", point.Value.GetProperty("meanNorm"));
            Same(agreement, measured, "cosines", point.Name, "meanCosineWithoutFirst", point.Value.GetProperty("meanCosine"));
        }

        foreach (JsonElement update in expected.GetProperty("updates").EnumerateArray())
        {
            string block = $"blocks.{update.GetProperty("layer").GetInt32()}";
            Same(agreement, measured, "updates", block, "mixerShareWithoutFirst", update.GetProperty("mixerShare"));
            Same(agreement, measured, "updates", block, "feedForwardShareWithoutFirst", update.GetProperty("feedForwardShare"));
        }

        JsonElement turns = expected.GetProperty("curvatureOverLayers");
        for (int block = 1; block <= turns.GetArrayLength(); block++)
        {
            Same(agreement, measured, "layer-curvature", "hook_resid_post", $"degrees.{block}", turns[block - 1]);
        }

        agreement.Record();
    }

    private static IReadOnlyList<Measured> Measure(string folder)
    {
        using var backend = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(Path.Combine(folder, "model"), backend);
        var tokens = new int[Windows * Time];
        using (SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(folder, "activations.safetensors")))
        {
            file.Read("tokens", tokens.AsSpan());
        }

        Measure[] measures =
        [
            .. s_points.SelectMany(point => (Measure[])[new SpectrumMeasure { Point = point }, new NormMeasure { Point = point }, new CosineMeasure { Point = point }]),
            new UpdateMeasure(), new LayerCurvatureMeasure(),
        ];
        ProbeShape shape = ProbeShape.Of(tokens.Length, tokens.Length, Time);
        var probe = new GeometryProbe(trained.Model, new RandomTokens(trained.Model.Config.Vocab, 1), shape, measures);
        probe.Read(tokens, [.. Enumerable.Range(0, tokens.Length).Select(place => place / Time)]);
        using var recorder = new GeometryRecorder(probe, new GeometryConfig { Every = 1 }, tokens.Length);
        recorder.Measure(1, 1, isLast: false);
        return recorder.Latest;
    }

    private static void Same(CaseAgreement agreement, IReadOnlyList<Measured> measured, string kind, string point, string figure, JsonElement expected)
    {
        double? value = measured.Single(m => m.Measure.Kind == kind && m.Place.Point == point).Figures.Single(f => f.Name == figure).Value;
        agreement.NearRelatively(value, expected.GetDouble(), 1e-3, kind, $"{kind} {figure} at {point}");
    }
}
